"""Which of a robot's cameras a bag has, and of what size and kind their images are.

A camera whose images cannot be taken is left out by name: it is no reason to refuse joints,
actions and the other cameras. Only one that was asked for by name is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from robot_learning.core.errors import CommandError
from robot_learning.core.profile import Camera
from robot_learning.episodes.format.compressed_frames import compressed_frame
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.image_encodings import image_depth, image_pixels, is_depth
from robot_learning.episodes.format.schema import Column, Encoding, Stream
from robot_learning.episodes.imports.bag import Bag, describe
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.message_streams import valid_kinds
from robot_learning.messages.stamps import header_stamp_ns

COMPRESSED = "/compressed"
# A driver's first frames may be empty or cut off; a camera that never gives others is left out.
_FRAMES_LOOKED_AT = 30


@dataclass(frozen=True)
class BagCamera:
    """A camera whose images can be taken.

    Attributes:
        camera: camera of the robot, with the size of the bag's images.
        topic: topic of the images, relative: `front/image_raw/compressed`.
        is_jpeg: whether the images are JPEG already.
        is_depth: whether the images hold distances.
    """

    camera: Camera
    topic: str
    is_jpeg: bool
    is_depth: bool

    def stream(self, *, lossless: bool) -> Stream:
        """What is recorded of it; `lossless` keeps images that are not JPEG as they are."""
        camera = self.camera
        stream = standard.camera_stream(camera, raw=lossless and not self.is_jpeg)
        if not self.is_depth:
            return stream
        shape = (camera.height_px, camera.width_px, 1)
        column = Column(f"obs/{camera.name}", shape, "uint16", Encoding.DEPTH, unit="mm")
        return replace(stream, columns=(column,))


@dataclass(frozen=True)
class BagCameras:
    """The cameras of a bag.

    Attributes:
        taken: cameras whose images can be taken, by name.
        left_out: topic and reason of each camera whose images cannot be taken, by name.
        absent: names of the cameras of which the bag has no image.
    """

    taken: Mapping[str, BagCamera]
    left_out: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    @property
    def topics(self) -> dict[str, str]:
        """Camera -> the relative topic of its images."""
        return {name: found.topic for name, found in self.taken.items()}


def image_topics(camera: Camera) -> tuple[str, str]:
    """The relative topics on which a camera's images may be, the preferred one first."""
    raw = f"{camera.name}/image_raw"
    return f"{raw}{COMPRESSED}", raw


def find_cameras(
    bag: Bag,
    cameras: Iterable[Camera],
    topic_of: Callable[[str], str],
    *,
    named: Collection[str] = (),
    skip_broken: bool = False,
) -> BagCameras:
    """Look at the first images of each camera.

    Args:
        bag: bag to look into.
        cameras: cameras of the robot.
        topic_of: gives the bag's name of a relative topic.
        named: relative topics that the user named; a camera on one of them that cannot be taken is
            an error.
        skip_broken: whether messages that cannot be read are skipped.

    Raises:
        EpisodeError: a camera that was named cannot be taken, or a message cannot be read.
    """
    taken: dict[str, BagCamera] = {}
    left_out: dict[str, str] = {}
    absent = []
    for camera in cameras:
        topics = [name for name in image_topics(camera) if bag.count({topic_of(name)})]
        problems: list[str] = []
        for name in topics:
            try:
                taken[camera.name] = _look_at(bag, camera, name, topic_of(name), skip_broken)
                break
            except CommandError as problem:
                problems.append(str(problem))
                if name in named:
                    raise EpisodeError(
                        f"{bag.path}: {problem}. Without naming {topic_of(name)} for "
                        f"'{camera.name}' everything else is imported"
                    ) from problem
        if not topics:
            absent.append(camera.name)
        elif camera.name not in taken:
            left_out[camera.name] = "; ".join(problems)
    return BagCameras(taken, left_out, tuple(absent))


def _look_at(bag: Bag, camera: Camera, name: str, topic: str, skip_broken: bool) -> BagCamera:
    """The camera as the first image that can be taken shows it.

    Raises:
        CommandError: none of the first can be; says what is wrong with the very first.
        EpisodeError: a message cannot be read.
    """
    kind, valid = bag.topics[topic], valid_kinds(name)
    if kind not in valid:
        raise CommandError(f"{topic} has the type {kind}; {name} takes {' or '.join(valid)}")
    first = ""
    for what, image in islice(_images(bag, topic, valid, skip_broken), _FRAMES_LOOKED_AT):
        try:
            return _seen(camera, name, image)
        except CommandError as problem:
            first = first or f"{what}, {kind}: {problem}"
    raise CommandError(first or f"{topic}: none of its messages can be read")


def _images(
    bag: Bag, topic: str, valid: Collection[str], skip_broken: bool
) -> Iterator[tuple[str, Any]]:
    """Each message of a valid type, with its name for people."""
    for message in bag.messages({topic}):
        if message.kind not in valid:
            continue
        try:
            image = bag.read(message)
        except EpisodeError as problem:
            if not skip_broken:
                raise EpisodeError(
                    f"{problem}; --skip-broken leaves such messages out"
                ) from problem
            continue
        yield describe(message), image


def _seen(camera: Camera, name: str, image: Any) -> BagCamera:
    if not header_stamp_ns(image):
        raise CommandError("no time is set in its stamp")
    if name.endswith(COMPRESSED):
        frame = compressed_frame(bytes(image.data), str(image.format))
        sized = replace(camera, width_px=frame.width_px, height_px=frame.height_px)
        return BagCamera(sized, name, frame.is_jpeg, frame.is_depth)
    deep = is_depth(str(image.encoding))
    height, width = (image_depth if deep else image_pixels)(image).shape[:2]
    return BagCamera(replace(camera, width_px=width, height_px=height), name, False, deep)
