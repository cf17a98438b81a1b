"""Big-endian numbers and disc addresses, as MMC lays them out."""


def be16(number: int) -> bytes:
    return (number & 0xFFFF).to_bytes(2)


def be24(number: int) -> bytes:
    return (number & 0xFFFFFF).to_bytes(3)


def be32(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4)


def number_at(buffer: bytes, offset: int, size: int) -> int:
    return int.from_bytes(buffer[offset : offset + size])


def msf(block: int) -> bytes:
    """Give minute, second, frame of a block; block 0 is 00:02:00 (MMC-6, LBA to MSF translation)."""
    frames = block + 150
    return bytes((frames // 4500 % 256, frames // 75 % 60, frames % 75))
