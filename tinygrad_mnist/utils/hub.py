"""Loading models from the internet: every name is refused when it is used."""

from tinygrad_mnist.names import lazily, refused

__getattr__, __dir__ = lazily("tinygrad_mnist.hub", {})
globals().update(
    refused("hub", "download_url_to_file get_dir help list load load_state_dict_from_url set_dir")
)
