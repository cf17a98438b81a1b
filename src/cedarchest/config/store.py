"""The table `[store]`, and what a device in it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from cedarchest.config import kinds
from cedarchest.config.choices import CheckTime, CloseDisc, DeviceType, NewDisc
from cedarchest.config.table import Flag, Table, need
from cedarchest.config.units import Margin
from cedarchest.config.wording import shown
from cedarchest.model.media import BLOCK, TRAITS, Medium

AUTO: Literal["auto"] = "auto"

_MEDIA: dict[str, Medium] = {str(medium): medium for medium in Medium}
_MEDIUM = kinds.plain(
    kinds.either((AUTO, *_MEDIA)),
    lambda value: _MEDIA.get(kinds.choose(value, (AUTO, *_MEDIA)), AUTO),
)
_READS: dict[DeviceType, str] = {DeviceType.CDWRITER: "cd-", DeviceType.DVDWRITER: "cd- dvd"}


IMAGE_SUFFIX = ".iso"
"""A disc on a shelf is a file of its label and this."""


def shelf_dir(device: str) -> Path | None:
    """The directory of a shelf; None when the device is a burner."""
    return Path(device.removeprefix(kinds.SHELF)) if device.startswith(kinds.SHELF) else None


class Store(Table):
    """How days are written to discs."""

    device: Annotated[tuple[str, ...], kinds.DEVICES] = Field(
        description="The drive or drives: `/dev/sr0`, or `shelf:DIR` for disc images in a directory. All of "
        "a list are written at the same time."
    )
    device_type: Annotated[DeviceType, kinds.one_of(DeviceType)] = Field(
        default=DeviceType.AUTO, description="What the device is; `auto` asks it."
    )
    media: Annotated[Medium | Literal["auto"], _MEDIUM] = Field(
        default=AUTO, description="The medium; `auto` is whatever is in the drive, on a shelf `dvd+r`."
    )
    capacity: Annotated[int, kinds.size(BLOCK)] | None = Field(
        default=None,
        description="The size of the discs on a shelf; burners know that of theirs.",
        json_schema_extra={"default": "that of the medium"},
    )
    new_disc: Annotated[NewDisc, kinds.one_of(NewDisc)] = Field(
        default=NewDisc.WHEN_FULL, description="When a new disc is begun, even if the last has room."
    )
    blank_factor: Annotated[float, kinds.FACTOR] | None = Field(
        default=None,
        description="With `weekly` or `daily`: begin the new disc only when the last one has no more room "
        "than this many times what is to be stored.",
    )
    retention: Annotated[timedelta, kinds.CALENDAR] = Field(
        default=timedelta(days=14), description="Nothing younger is given up when a disc is reused."
    )
    copies: Annotated[int, kinds.whole(1, 26)] = Field(
        default=1, description="On how many discs a day must be proven before it counts as stored."
    )
    check: Annotated[CheckTime, kinds.one_of(CheckTime)] = Field(
        default=CheckTime.NOW,
        description="`deferred`: a day is burnt but unproven, and not stored, until `verify` ran.",
    )
    check_media: Flag = Field(
        default=True, description="Whether the label of the disc is compared with the one expected."
    )
    warn_midnight: Flag = Field(
        default=False, description="Whether a day that is stored after its midnight is warned of."
    )
    warn_free: Annotated[Margin, kinds.MARGIN] = Field(
        default=Margin(),
        description="How much of a disc must be left after a store, or else it is warned of.",
        json_schema_extra={"default": '`"0 B"`'},
    )
    speed: Annotated[int, kinds.whole(1, 100)] | None = Field(
        default=None,
        description="The factor of the writing speed.",
        json_schema_extra={"default": "the drive's best"},
    )
    load_delay: Annotated[timedelta, kinds.DURATION] = Field(
        default=timedelta(seconds=10),
        description="How long a drive may take to be ready after its tray closed, beyond a minute.",
    )
    eject: Flag = Field(default=False, description="Whether the disc is ejected at the end.")
    close: Annotated[CloseDisc, kinds.one_of(CloseDisc)] = Field(
        default=CloseDisc.NEVER,
        description="When a disc is closed, so that nothing more can be added: `always` with the session "
        "that is written, `when-full` with the one after which less is left than its smallest session took, "
        "and less than a twentieth of it. DVD+RW, DVD-RAM, BD-RE and shelves have nothing to close.",
    )
    defect_management: Flag = Field(
        default=False,
        description="Whether BD-R and BD-RE are formatted with spare blocks before their first session, so "
        "that the drive itself replaces bad blocks while it writes: at half the speed, with 3 % less room.",
    )
    portable: Flag = Field(
        default=False, description="Whether names are kept to what every system can read, or else refused."
    )
    margin: Annotated[Margin, kinds.MARGIN] | None = Field(
        default=None,
        description="Space of a disc that is left free.",
        json_schema_extra={"default": '`"0.5 %"` of the medium; 0 on a shelf'},
    )
    encrypt: Annotated[None, kinds.RESERVED] = Field(
        default=None, description="Reserved: any value is refused."
    )
    s3: Annotated[None, kinds.RESERVED] = Field(default=None, description="Reserved: any value is refused.")

    DEFAULT_MARGIN: ClassVar[Margin] = Margin(percent=Decimal("0.5"))

    @property
    def has_shelf(self) -> bool:
        """Whether any of the devices is a shelf."""
        return any(shelf_dir(device) for device in self.device)

    @property
    def shelf_medium(self) -> Medium:
        """The medium that the discs of a shelf are."""
        return Medium.DVD_PLUS_R if self.media == AUTO else self.media

    @property
    def shelf_blocks(self) -> int:
        """The capacity of a disc of a shelf, in blocks."""
        return TRAITS[self.shelf_medium].nominal_blocks if self.capacity is None else self.capacity // BLOCK

    def margin_blocks(self, device: str, medium_blocks: int) -> int:
        """Blocks left free on a medium of so many blocks in that device."""
        default = Margin() if shelf_dir(device) else self.DEFAULT_MARGIN
        return (default if self.margin is None else self.margin).blocks(medium_blocks)

    @field_validator("device_type")
    @classmethod
    def _fits_devices(cls, device_type: DeviceType, info: ValidationInfo) -> DeviceType:
        devices: tuple[str, ...] = info.data.get("device", ())
        for device in devices if device_type is not DeviceType.AUTO else ():
            if (device_type is DeviceType.SHELF) != (shelf_dir(device) is not None):
                wanted = 'a shelf is written "shelf:DIR"' if device_type is DeviceType.SHELF else 'set "auto"'
                raise kinds.Rule(f"{shown(str(device_type))} is not what {shown(device)} is; {wanted}")
        return device_type

    @field_validator("media")
    @classmethod
    def _fits_device_type(
        cls, media: Medium | Literal["auto"], info: ValidationInfo
    ) -> Medium | Literal["auto"]:
        device_type = info.data.get("device_type", DeviceType.AUTO)
        reads = tuple(_READS.get(device_type, "").split())
        if media != AUTO and reads and not media.startswith(reads):
            raise kinds.Rule(f"a {device_type} does not write {media}; another medium or device_type")
        return media

    @field_validator("capacity")
    @classmethod
    def _of_a_shelf(cls, capacity: int | None, info: ValidationInfo) -> int | None:
        devices: tuple[str, ...] = info.data.get("device", ())
        if capacity is not None and devices and not any(shelf_dir(device) for device in devices):
            raise need("use a shelf", "is only for a shelf: a burner knows its medium")
        return capacity

    @field_validator("blank_factor")
    @classmethod
    def _of_a_period(cls, factor: float | None, info: ValidationInfo) -> float | None:
        if factor is not None and info.data.get("new_disc") is NewDisc.WHEN_FULL:
            raise need('set new_disc to "weekly" or "daily"', "means nothing when discs are filled")
        return factor
