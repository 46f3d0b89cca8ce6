"""Settings of `recorder_node`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from robot_learning.core.clocks import FUTURE_TOLERANCE_S
from robot_learning.core.options.option import LIVE
from robot_learning.core.options.quality import QualityOptions
from robot_learning.nodes.noise import NoiseDescription
from robot_learning.nodes.shared import Autostart, Robot

DatasetFolder = Annotated[str, Meta(description="Folder of the dataset; created if missing")]
Resume = Annotated[
    bool, Meta(description="Add to a dataset that already has episodes; false refuses it")
]
RowRate = Annotated[float, Meta(ge=1, le=1000, description="Rows per second")]
ImageTransport = Annotated[
    Literal["compressed", "raw"],
    Meta(description="Image topics to record; JPEG bytes are stored as received"),
]
ImageStorage = Annotated[
    Literal["jpeg", "lossless"],
    Meta(description="How raw images are stored; lossless takes ten times the space"),
]
Instruction = Annotated[str, Meta(description="The task in words")]
Operator = Annotated[str, Meta(description="Name of the person who demonstrates or corrects")]
RoundNumber = Annotated[int, Meta(ge=0, description="Round of DAgger; 0 for demonstrations")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderNodeSettings:
    """Settings of `recorder_node`."""

    robot: Robot = "desk_arm"
    task: Annotated[
        str, Meta(description="Task; of a simulated robot also which poses there are")
    ] = "lift"
    dataset: DatasetFolder | None = None
    resume: Resume = True
    as_before: Annotated[
        bool,
        Meta(
            description="Describe streams as the dataset that is continued does, if it holds the "
            "same columns: nominal rates, bounds on age, whether success is one"
        ),
    ] = False
    autostart: Autostart = True
    simulated: Annotated[
        bool,
        Meta(description="Also record what only simulation provides: poses, reward, success"),
    ] = True
    rate_hz: RowRate = 50.0
    joint_rate_hz: (
        Annotated[
            float,
            Meta(gt=0, description="Nominal rate of joint_states, Hz; not given: the profile's"),
        ]
        | None
    ) = None
    decision_rate_hz: (
        Annotated[
            float,
            Meta(gt=0, description="Nominal rate of the arbiter, Hz; not given: the profile's"),
        ]
        | None
    ) = None
    cameras: Annotated[
        tuple[str, ...],
        Meta(description="Cameras to record; 'all' of the profile's, or 'none'"),
    ] = ("all",)
    image_transport: ImageTransport = "compressed"
    image_storage: ImageStorage = "jpeg"
    jpeg_quality: Annotated[
        int, Meta(ge=1, le=100, description="JPEG quality of raw images in percent")
    ] = 95
    age_floor_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Age below which no sample is over age, s; above, it is after three of its "
            "stream's periods",
        ),
    ] = 0.05
    future_tolerance_s: Annotated[
        float, Meta(ge=0, description="How far ahead of its receipt a stamp may be, s")
    ] = FUTURE_TOLERANCE_S
    queue_mib: Annotated[
        int, Meta(ge=1, description="Image data that may wait for the disk, MiB")
    ] = 128
    flush_interval_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=1,
            description="Longest stretch of recording that is lost when the process is killed, s",
        ),
    ] = 0.5
    min_free_mib: Annotated[
        int,
        Meta(description="Free space below which no episode starts and a running one stops, MiB"),
    ] = 512
    status_rate_hz: Annotated[
        float, Meta(ge=0.5, le=50, description="Rate of recorder/status, Hz")
    ] = 5.0
    instruction: Annotated[Instruction, LIVE] = ""
    operator: Annotated[Operator, LIVE] = ""
    operator_device: Annotated[
        str, Meta(description="Device that the operator drives with; empty: not known")
    ] = ""
    round: Annotated[RoundNumber, LIVE] = 0
    seed: (
        Annotated[int, Meta(ge=0, description="Seed of the scene; not given: unknown"), LIVE] | None
    ) = None
    checkpoint_digest: Annotated[
        str, Meta(description="Digest of the policy that drives; empty where none does"), LIVE
    ] = ""
    noise: NoiseDescription = field(default_factory=NoiseDescription)
    quality: QualityOptions = field(default_factory=QualityOptions)
