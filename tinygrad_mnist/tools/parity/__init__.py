"""Operations held against PyTorch: values, gradients, errors."""
