"""Profiles: where the processor time of the service's processes goes, as sampled by py-spy from outside."""

from telemetry.profiling.continuous_profiler import ContinuousProfiler
from telemetry.profiling.kept_profiles import KeptProfile, KeptProfiles, NoProfile
from telemetry.profiling.own_profile import OwnProfile, OwnProfileRefused
from telemetry.profiling.profile_output import OutputRefused, ProfileOutput, ProfileText
from telemetry.profiling.profile_recording import ProfileRecording
from telemetry.profiling.profile_targets import FoundProcesses, ProfileTarget, find_processes
from telemetry.profiling.py_spy import (
    DEFAULT_RATE,
    MAX_RATE,
    MIN_RATE,
    ProcessProfile,
    PySpyMissing,
    SamplingOptions,
    find_py_spy,
)

__all__ = [
    "DEFAULT_RATE",
    "MAX_RATE",
    "MIN_RATE",
    "ContinuousProfiler",
    "FoundProcesses",
    "KeptProfile",
    "KeptProfiles",
    "NoProfile",
    "OutputRefused",
    "OwnProfile",
    "OwnProfileRefused",
    "ProcessProfile",
    "ProfileOutput",
    "ProfileRecording",
    "ProfileTarget",
    "ProfileText",
    "PySpyMissing",
    "SamplingOptions",
    "find_processes",
    "find_py_spy",
]
