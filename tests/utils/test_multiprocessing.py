"""Processes share the tensors that are in shared memory; a failing process tells its traceback."""

import pytest

import tinygrad_mnist as torch

mp = torch.multiprocessing


def train(rank, model, tasks, answers):
    """A step on a model that others train too, and a number written into what a queue brings."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    tasks.get()[rank] = 5
    answers.put((torch.arange(2), model[0].weight.requires_grad))


def fail(rank, how):
    """Fail in the way asked for."""
    if how == "raise":
        raise ValueError(f"broken in {rank}")
    raise SystemExit(how)


def test_a_spawned_process_trains_the_same_model():
    model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    model[1].bias.grad = torch.zeros(1)
    assert model.share_memory() is model
    assert all(each.is_shared() for each in (*model.parameters(), *model.buffers()))
    assert model[1].bias.grad.is_shared()
    before, seen = model[1].bias.item(), torch.zeros(3)
    context = mp.get_context("spawn")
    tasks, answers = context.Queue(), context.Queue()
    process = context.Process(target=train, args=(1, model, tasks, answers))
    process.start()
    tasks.put(seen.share_memory_()[1:])
    counted, requires_grad = answers.get()
    process.join()
    assert process.exitcode == 0
    assert counted.tolist() == [0, 1]
    assert requires_grad
    assert seen.tolist() == [0, 0, 5]
    assert model[1].bias.item() == before - 0.5 * 4
    assert model[1].num_batches_tracked.item() == 1


def test_failures_are_told():
    for how, kind, text in (
        ("raise", mp.ProcessRaisedException, "Process 0 terminated with the following error"),
        (3, mp.ProcessExitedException, "process 0 terminated with exit code 3"),
    ):
        with pytest.raises(kind, match=text) as caught:
            mp.start_processes(fail, (how,), start_method="fork")
        assert caught.value.error_index == 0
    assert mp.start_processes(int, start_method="fork") is None


def test_memory_that_others_use_stays():
    x = torch.ones(2, 3)
    for held in (x[0], x.numpy(), x.detach()):
        with pytest.raises(NotImplementedError, match="Share the tensor before"):
            x.share_memory_()
        del held
    assert not x.is_shared()
    assert x.share_memory_() is x.share_memory_()
    assert x[1:].is_shared()
    assert torch.randn(3, 2).t().contiguous().share_memory_().is_shared()
    y = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="non-leaf tensor which requires_grad"):
        mp.reduction.ForkingPickler.dumps(y)
    with pytest.raises(NotImplementedError, match="ulimit"):
        mp.set_sharing_strategy("file_system")
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
