"""Schedules give PyTorch's learning rates, digit for digit."""

import pytest
import torch

import tinygrad_mnist

ENGINES = (torch, tinygrad_mnist)
STEPS = 25


def make_optimizer(engine, name="SGD", **settings):
    weights = [engine.ones(2, requires_grad=True) for _ in range(2)]
    groups = [{"params": weights[0]}, {"params": weights[1], "lr": 0.7}]
    return getattr(engine.optim, name)(groups, lr=0.3, **settings)


def rates(engine, make, optimizer="SGD", steps=STEPS, **settings):
    """Per step: the learning rates, momentum (or betas) and `get_last_lr`; at last the state."""
    chosen = make_optimizer(engine, optimizer, **settings)
    schedule = make(engine.optim.lr_scheduler, chosen)
    seen = []
    for _ in range(steps):
        groups = chosen.param_groups
        seen.append([(g["lr"], g.get("momentum"), g.get("betas")) for g in groups])
        seen.append(list(schedule.get_last_lr()))
        chosen.step()
        schedule.step()
    return seen, schedule.last_epoch if hasattr(schedule, "last_epoch") else None


def swa(optimizer):
    """The module of averages beside an optimiser's class."""
    engine = tinygrad_mnist if isinstance(optimizer, tinygrad_mnist.optim.Optimizer) else torch
    return engine.optim.swa_utils


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch),
    "LambdaLR list": lambda s, o: s.LambdaLR(o, [lambda n: 1 / (n + 1), lambda n: n]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9 + epoch / 100),
    "StepLR": lambda s, o: s.StepLR(o, 4),
    "StepLR gamma": lambda s, o: s.StepLR(o, step_size=3, gamma=0.7),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 8, 8, 12], gamma=0.5),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.3, 6),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.25, 0.9, 7),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 9, 1.7),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.93),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 6, 0.01),
    "WarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 1.5, total_steps=STEPS + 1),
    "OneCycleLR linear": lambda s, o: s.OneCycleLR(
        o, [1.5, 2.0], epochs=6, steps_per_epoch=5, anneal_strategy="linear", three_phase=True
    ),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.1, [1.0, 2.0], 4),
    "CyclicLR triangular2": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 3, 5, "triangular2"),
    "CyclicLR exp_range": lambda s, o: s.CyclicLR(
        o, 0.1, 1.0, 4, mode="exp_range", gamma=0.9, cycle_momentum=False
    ),
    "CyclicLR scale_fn": lambda s, o: s.CyclicLR(
        o, 0.1, 1.0, 4, scale_fn=lambda n: 1 / (n + 1), scale_mode="iterations"
    ),
    "SWALR": lambda s, o: swa(o).SWALR(o, [0.05, 0.9], 7),
    "SWALR linear": lambda s, o: swa(o).SWALR(o, 0.05, 7, "linear"),
    "SWALR at once": lambda s, o: swa(o).SWALR(o, 0.05, 0),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9), s.StepLR(o, 2)], [4, 11]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name):
    settings = {"momentum": 0.9} if name.startswith(("OneCycle", "Cyclic")) else {}
    theirs, ours = (rates(engine, SCHEDULES[name], **settings) for engine in ENGINES)
    assert ours == theirs


@pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
def test_cycles_of_adam(name):
    theirs, ours = (rates(engine, SCHEDULES[name], "Adam") for engine in ENGINES)
    assert ours == theirs


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    measures = [1.0, 0.9, 0.9, 0.91, 0.92, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2]

    def run(engine):
        optimizer = make_optimizer(engine)
        schedule = engine.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, 0.5, 2, 0.05, threshold_mode, cooldown=1, min_lr=[0.1, 0.01]
        )
        seen = []
        for measure in measures:
            schedule.step(engine.tensor(measure))
            seen.append((schedule.get_last_lr(), schedule.num_bad_epochs, schedule.best))
        return seen

    theirs, ours = (run(engine) for engine in ENGINES)
    assert ours == theirs


def test_lr_in_a_tensor():
    def run(engine):
        optimizer = engine.optim.SGD([engine.ones(1)], lr=engine.tensor(0.5))
        schedule = engine.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        optimizer.step()
        schedule.step()
        first = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        return (
            first.item(),
            schedule.get_last_lr()[0].item(),
            optimizer.param_groups[0]["lr"].item(),
        )

    theirs, ours = (run(engine) for engine in ENGINES)
    assert ours == theirs


RESUMABLE = [name for name in SCHEDULES if not name.startswith(("LambdaLR", "Multiplicative"))]


@pytest.mark.parametrize("name", RESUMABLE)
def test_state_dict(name):
    engine = tinygrad_mnist
    settings = {"momentum": 0.9} if name.startswith(("OneCycle", "Cyclic")) else {}
    optimizer = make_optimizer(engine, **settings)
    schedule = SCHEDULES[name](engine.optim.lr_scheduler, optimizer)
    for _ in range(5):
        optimizer.step()
        schedule.step()
    twin = make_optimizer(engine, **settings)
    other = SCHEDULES[name](engine.optim.lr_scheduler, twin)
    other.load_state_dict(schedule.state_dict())
    twin.load_state_dict(optimizer.state_dict())
    for _ in range(10):
        optimizer.step()
        twin.step()
        schedule.step()
        other.step()
        assert other.get_last_lr() == schedule.get_last_lr()


def test_state_dict_of_a_callable_object():
    class Decay:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, epoch):
            return self.rate**epoch

    lr_scheduler = tinygrad_mnist.optim.lr_scheduler
    schedule = lr_scheduler.LambdaLR(make_optimizer(tinygrad_mnist), [Decay(0.5), lambda n: 1])
    saved = schedule.state_dict()
    assert saved["lr_lambdas"] == [{"rate": 0.5}, None]
    other = lr_scheduler.LambdaLR(make_optimizer(tinygrad_mnist), [Decay(0.1), lambda n: 1])
    other.load_state_dict(saved)
    assert other.lr_lambdas[0].rate == 0.5


def test_resuming_by_last_epoch():
    def run(engine):
        optimizer = make_optimizer(engine)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        schedule = engine.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6, last_epoch=3)
        return schedule.get_last_lr()

    theirs, ours = (run(engine) for engine in ENGINES)
    assert ours == theirs


ERRORS = {
    "no optimizer": lambda s, o: s.StepLR(3, 1),
    "no initial_lr": lambda s, o: s.StepLR(o, 1, last_epoch=2),
    "two lambdas too few": lambda s, o: s.LambdaLR(o, [lambda n: n]),
    "no function": lambda s, o: s.MultiplicativeLR(o, 3),
    "constant": lambda s, o: s.ConstantLR(o, 1.5),
    "linear": lambda s, o: s.LinearLR(o, 0.0),
    "linear end": lambda s, o: s.LinearLR(o, 0.5, 2.0),
    "T_0": lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    "T_mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 0),
    "steps": lambda s, o: s.OneCycleLR(o, 1.0),
    "total_steps": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=0),
    "epochs": lambda s, o: s.OneCycleLR(o, 1.0, epochs=-1, steps_per_epoch=2),
    "pct_start": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=3, pct_start=2),
    "strategy": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=3, anneal_strategy="x"),
    "max_lr": lambda s, o: s.OneCycleLR(o, [1.0], total_steps=3),
    "factor": lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    "mode": lambda s, o: s.ReduceLROnPlateau(o, "x"),
    "threshold mode": lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    "min_lr": lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    "no schedule": lambda s, o: s.SequentialLR(o, [], []),
    "milestones": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]),
    "no chain": lambda s, o: s.ChainedScheduler([]),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    raised = []
    for engine in ENGINES:
        with pytest.raises(Exception) as info:  # noqa: PT011
            ERRORS[case](engine.optim.lr_scheduler, make_optimizer(engine))
        raised.append((info.type.__name__, str(info.value)))
    assert raised[1] == raised[0]


def test_a_step_too_many():
    for engine in ENGINES:
        optimizer = make_optimizer(engine, momentum=0.9)
        schedule = engine.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=2)
        optimizer.step()
        schedule.step()
        schedule.step()
        with pytest.raises(ValueError, match=r"Tried to step 3 times\. The specified number"):
            schedule.step()


def test_warnings():
    for engine in ENGINES:
        schedule = engine.optim.lr_scheduler.StepLR(make_optimizer(engine), 2)
        with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step\\(\\)` before"):
            schedule.step()
        with pytest.warns(UserWarning, match="please use `get_last_lr\\(\\)`"):
            schedule.get_lr()
        with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step\\(\\)`"):
            schedule.step(5)
        assert schedule.get_last_lr() == pytest.approx([0.003, 0.007])
