"""What is concluded: slopes, extrapolation, judgement, falsification, calibration, and the records of all of it."""
