"""What a Python program needs of Recorder: for now the verifier of bundles, ``recorder_client.verify``."""

__version__ = "0.1.0"
