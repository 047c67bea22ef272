"""Clock event reasons of NVML in words."""

from __future__ import annotations

# nvmlClocksEventReason... of nvml.h
IDLE, APPLICATION_CLOCKS, DISPLAY_CLOCKS = 0x1, 0x2, 0x100
HARDWARE, HARDWARE_THERMAL, POWER_BRAKE = 0x8, 0x40, 0x80
WORDS = {
    0x4: "power cap",
    HARDWARE: "slowdown (hardware)",
    0x10: "sync boost",
    0x20: "thermal (software)",
    HARDWARE_THERMAL: "thermal (hardware)",
    POWER_BRAKE: "power brake",
    0x200: "board limit",
    0x400: "reliability limit",
}


def throttle_words(reasons: int | None) -> tuple[str, ...] | None:
    """Put the bits into words; empty when nothing throttles, None when the driver does not tell."""
    if reasons is None:
        return None
    # An idle GPU lowers its clock by itself, and a clock that was set is a choice.
    reasons &= ~(IDLE | APPLICATION_CLOCKS | DISPLAY_CLOCKS)
    if reasons & (HARDWARE_THERMAL | POWER_BRAKE):
        reasons &= ~HARDWARE  # set beside its causes, it says less than they do
    unknown = reasons & ~sum(WORDS)
    words = [word for bit, word in WORDS.items() if reasons & bit]
    return (*words, f"other (0x{unknown:x})") if unknown else tuple(words)
