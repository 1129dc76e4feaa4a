"""The sixth phase (format §15): every signature against the keys that the auditor believes, and every promise of one.

Deliberately absent: rotations, which have been followed before the first signature is judged.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from recorder_client.verify import form
from recorder_client.verify.checkpoint import Checkpoint, read_checkpoint
from recorder_client.verify.container import DamageError
from recorder_client.verify.envelope import Envelope
from recorder_client.verify.finding import BUNDLE, Findings, Place, in_part, in_segment
from recorder_client.verify.json_text import Limits, RefusedError, parse
from recorder_client.verify.keyring import Keyring
from recorder_client.verify.layout import CHECKPOINT, SIGNATURE
from recorder_client.verify.limit import CHECKPOINT_BYTES_MAX, SIGNATURES_BYTES_MAX
from recorder_client.verify.manifest import Manifest
from recorder_client.verify.parts import Parts, TooLargeError
from recorder_client.verify.rotation import Rotation
from recorder_client.verify.segment import Genesis, Seal, Signing
from recorder_client.verify.signature import Signature, manifest_message, read_dsse, seal_message

USES = ("manifest", "checkpoint", "seal", "envelope")


@dataclass
class Signatures:
    """What vouches for what."""

    keyring: Keyring
    findings: Findings
    used: set[tuple[str, str]] = field(default_factory=set)
    verified: int = 0
    vouched_envelopes: int = 0
    envelopes: int = 0
    manifest_vouches: bool = False
    checkpoint_vouches: bool = False
    vouching_seals: set[int] = field(default_factory=set)
    has_any: bool = False
    cosignatures: int = 0

    def _judge(self, key_id: str, position: int, place: Place, use: str, holds: Callable[[bytes], bool]) -> bool:
        """Whether a signature vouches; what is wrong with it is noted."""
        self.has_any = True
        public_key = self.keyring.public_key(key_id)
        if public_key is None:
            if not self.keyring.is_silent():
                self.findings.add("key_unknown", place, f"key {key_id}")
            return False
        if not holds(public_key):
            self.findings.add(f"{use}_signature_invalid", place, f"key {key_id}")
            return False
        objection = self.keyring.objection(key_id, max(position, 0))
        if objection is not None:
            self.findings.add(objection, place, f"key {key_id}")
            return False
        self.used.add((key_id, use))
        self.verified += 1
        return True

    def _judge_object(self, signature: Signature, position: int, place: Place, use: str, message: bytes) -> bool:
        return self._judge(signature.key_id, position, place, use, lambda key: signature.holds(key, message))

    def manifest(self, parts: Parts, manifest: Manifest, name: str | None, *, is_promised: bool) -> None:
        """The signature beside the manifest."""
        place = in_part(SIGNATURE)
        if name is None:
            if is_promised:
                self.findings.add("manifest_signature_missing", place, "the stream promises signatures")
            return
        self.has_any = True
        try:
            data = parts.whole(name, 2 * len(manifest.text) + SIGNATURES_BYTES_MAX)
            signatures = read_dsse(parse(data, Limits(len(data)), canonical=True), manifest.text)
        except DamageError:
            return
        except (RefusedError, form.FormError, TooLargeError) as error:
            self.findings.add("manifest_signature_malformed", place, str(error))
            return
        message, position = manifest_message(manifest.text), manifest.tree_size - 1
        vouching = [self._judge_object(one, position, place, "manifest", message) for one in signatures]
        self.manifest_vouches = any(vouching)

    def checkpoint(self, parts: Parts, manifest: Manifest, name: str | None, *, is_promised: bool) -> Checkpoint | None:
        """The checkpoint, where there is one."""
        place = in_part(CHECKPOINT)
        if name is None:
            if is_promised:
                self.findings.add("checkpoint_missing", place, "the stream promises signed checkpoints")
            return None
        self.has_any = True
        try:
            checkpoint = read_checkpoint(parts.whole(name, CHECKPOINT_BYTES_MAX))
        except DamageError:
            return None
        except (form.FormError, TooLargeError) as error:
            self.findings.add("checkpoint_malformed", place, str(error))
            return None
        self.cosignatures = len(checkpoint.lines) - 1
        is_of_stream = checkpoint.is_of_stream(*manifest.stream)
        if not is_of_stream:
            self.findings.add("checkpoint_origin", place, f"origin {checkpoint.origin}")
        if (checkpoint.tree_size, checkpoint.root) != (manifest.tree_size, manifest.root):
            self.findings.add("checkpoint_mismatch", place, "another tree size or root than the manifest's")
        self._judge_checkpoint(checkpoint, place)
        return checkpoint

    def _judge_checkpoint(self, checkpoint: Checkpoint, place: Place) -> None:
        position = checkpoint.tree_size - 1
        candidates = [key_id for key_id, key in self.keyring.public_keys().items() if checkpoint.is_by(key)]
        key_id = next(iter(candidates), "the log's")
        self.checkpoint_vouches = self._judge(key_id, position, place, "checkpoint", checkpoint.holds)

    def seal(self, segment: int, genesis: Genesis | None, seal: Seal, after: Rotation | None) -> None:
        """The signature of a seal; a break-glass rotation after it may be by the key that sealed."""
        place = in_segment(segment)
        if seal.signature is None:
            if genesis is not None and genesis.signing >= Signing.CHECKPOINTS:
                self.findings.add("seal_signature_missing", place, "the stream promises signatures")
            return
        position = seal.tree_size - 1
        if after is not None and after.is_break_glass and seal.signature.key_id == after.new_key_id:
            position = after.effective_position
        if self._judge_object(seal.signature, position, place, "seal", seal_message(seal.hash)):
            self.vouching_seals.add(segment)

    def envelope(self, envelope: Envelope, place: Place, *, is_promised: bool) -> None:
        """The signature of an envelope that stands on a line."""
        self.envelopes += 1
        if envelope.signature is None:
            if is_promised:
                self.findings.add("envelope_signature_missing", place, "the stream promises one on every envelope")
            return
        message = envelope.signed_message()
        if self._judge_object(envelope.signature, envelope.position, place, "envelope", message):
            self.vouched_envelopes += 1

    def finish(self) -> None:
        """What can be said of all of them together."""
        if self.keyring.trust_root is None:
            self.findings.add("trust_root_absent", BUNDLE, "no signature was checked")
        elif self.keyring.is_silent():
            self.findings.add("trust_root_silent", BUNDLE, "no key for this stream")
        elif not self.has_any:
            self.findings.add("stream_unsigned", BUNDLE, "nothing is signed")
        elif not self.all_vouched():
            count = self.envelopes - self.vouched_envelopes
            self.findings.add("envelope_unvouched", BUNDLE, f"{count} envelopes")

    def all_vouched(self) -> bool:
        """Whether a trusted key vouches for every envelope."""
        return self.checkpoint_vouches or self.vouched_envelopes == self.envelopes
