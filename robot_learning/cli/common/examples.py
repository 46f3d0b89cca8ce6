"""One or two examples of every command, shown at the end of its help.

They are parsed by the tests, so that they cannot fall behind the options.
"""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "doctor": ("doctor", "doctor --require ros --require keyboard"),
    "demo": ("demo", "demo --task lift --demonstrations 10 --out outputs/lift"),
    "robots": ("robots",),
    "profile": ("profile check desk_arm",),
    "profile check": ("profile check desk_arm", "profile check my_arm/robot.yaml"),
    "profile urdf": ("profile urdf desk_arm",),
    "calibrate": ("calibrate my_arm", "calibrate my_arm/robot.yaml --release --out left.yaml"),
    "emulate": (
        "emulate --servos sts3215:6",
        "emulate --servos xl430-w250:2 xl330-m288:4",
        "emulate --servos sts3215:6 --port /tmp/arm --fault late:3@2x4 --fault unplug@5",
    ),
    "up": ("up sim --robot bench_arm --task push",),
    "up sim": ("up sim --robot bench_arm --task push --headless false",),
    "up teleop": ("up teleop --device keyboard --task lift --headless false",),
    "up teleop_record": ("up teleop_record --device keyboard --dataset data/lift --episodes 20",),
    "up serve": ("up serve --checkpoint runs/lift --drive true",),
    "up dagger": ("up dagger --dataset data/lift --device keyboard --rounds 3",),
    "up demo": ("up demo --video lift.mp4",),
    "record": (
        "record --device keyboard --dataset data/lift --episodes 20 --operator ada",
        "record --device scripted --task lift --dataset data/lift --dart --dart-sigma 0.01",
    ),
    "demonstrate": (
        "demonstrate --task lift --episodes 100 --dataset data/lift",
        "demonstrate --task push --cameras front wrist --dataset data/push",
    ),
    "dataset": ("dataset info data/lift", "dataset view data/lift last --video"),
    "dataset info": ("dataset info data/lift",),
    "dataset list": ("dataset list data/lift --outcome failure",),
    "dataset stats": ("dataset stats data/lift --key actions",),
    "dataset view": ("dataset view data/lift last --video",),
    "dataset verify": ("dataset verify data/lift",),
    "dataset repair": ("dataset repair data/lift",),
    "dataset trim": ("dataset trim data/lift 7 25:",),
    "dataset delete": ("dataset delete data/lift 3 8-12",),
    "dataset restore": ("dataset restore data/lift", "dataset restore data/lift 3"),
    "dataset relabel-outcome": ("dataset relabel-outcome data/lift failure 3 8-12",),
    "dataset keep": ("dataset keep data/lift", "dataset keep data/lift 3"),
    "dataset merge": ("dataset merge data/monday data/tuesday --into data/lift",),
    "dataset split": ("dataset split data/lift train=0.9 valid=0.1",),
    "dataset replay": ("dataset replay data/lift 7 --bound 0.05",),
    "dataset export": ("dataset export data/lift out/lift --format lerobot",),
    "dataset import": (
        "dataset import episodes/ data/aloha --format act --robot aloha --rate-hz 50",
        "dataset import session.mcap data/lift --format rosbag --robot desk_arm",
        "dataset import svla_so101/ data/so101 --format lerobot --robot so101",
    ),
    "relabel": (
        "relabel data/run 7 --device keyboard --rows 40:90 --picture live.jpg",
        "relabel data/run --source policy --only policy",
    ),
    "train": (
        "train data/lift --policy act --out runs/lift --set optimizer.learning_rate=1e-4",
        "train --list-settings --policy act",
    ),
    "evaluate": (
        "evaluate runs/lift --episodes 200 --video lift.mp4",
        "evaluate runs/lift --compare runs/lift_before --min-success 0.9 --lower-bound",
    ),
    "serve": ("serve runs/lift --drive", "serve runs/lift --sim false --robot my_arm"),
    "bc": (
        "bc --env Pendulum-v1 --expert my_experts:pendulum --budget episodes=20",
        "bc --env robot_learning/Lift-v0 --noise 0.1 --seeds 3",
    ),
    "dagger": (
        "dagger --dataset data/lift --device keyboard --rounds 3",
        "dagger --env Pendulum-v1 --expert my_experts:pendulum --seeds 3",
    ),
    "dart": (
        "dart --task lift --rounds 3 --episodes 20",
        "dart --env Pendulum-v1 --expert my_experts:pendulum --budget labels=3000",
    ),
    "rl": ("rl ppo --env robot_learning/Reach-v0",),
    "rl reinforce": (
        "rl reinforce --env CartPole-v1 --baseline learned --steps 300000 --seeds 5",
        "rl reinforce --env Pendulum-v1 --signal total --baseline none "
        "--set reinforce.truncated=end",
    ),
    "rl ppo": (
        "rl ppo --env Hopper-v5 --steps 1000000 --seeds 3 --plot hopper.png",
        "rl ppo --env Pendulum-v1 --set discount=0.9 --out runs/pendulum",
        "rl ppo --env Pendulum-v1 --reward runs/prefer --reference runs/demonstrations",
    ),
    "prefer": ("prefer rank runs/prefer",),
    "prefer collect": (
        "prefer collect runs/prefer --env Pendulum-v1 --policy runs/pendulum/seed_0",
        "prefer collect runs/prefer --dataset data/lift --length 40",
    ),
    "prefer rank": (
        "prefer rank runs/prefer --rankings 150",
        "prefer rank runs/prefer --judge return --tie-band 0.05",
        "prefer rank runs/prefer --dataset data/lift",
    ),
    "prefer fit": (
        "prefer fit runs/prefer",
        "prefer fit runs/prefer runs/prefer-2 --ties rao-kupper --out runs/both",
    ),
    "ccil": (
        "ccil data/lift --into data/lift-ccil",
        "ccil --env Pendulum-v1 --expert my_experts:pendulum --seeds 3",
    ),
    "gate": ("gate data/lift runs/lift-dagger/round_2/best --target-rate 0.05",),
    "ci": (
        "ci checks.yaml --junit report.xml",
        "ci --profile desk_arm --dataset data/lift --checkpoint runs/lift --min-success 0.9",
    ),
}
