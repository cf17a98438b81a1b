"""The commands by area, a short function each: their options, and which action they run."""
