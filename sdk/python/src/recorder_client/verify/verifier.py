"""The seven phases in one pass over the envelopes (format §15).

Deliberately absent: heads that were kept from bundles before. A head that the auditor holds is given.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from recorder_client.verify.attachments import Attachments
from recorder_client.verify.chain import Anchors, Chain, Clock
from recorder_client.verify.checkpoint import Checkpoint
from recorder_client.verify.code import Phase
from recorder_client.verify.container import DamageError, Source
from recorder_client.verify.envelope import Envelope, LineError, read_line
from recorder_client.verify.finding import BUNDLE, Findings, Place, at_known_head, in_line, in_part, in_segment
from recorder_client.verify.form import FormError
from recorder_client.verify.identities import Identities, rounds_for
from recorder_client.verify.json_text import Value
from recorder_client.verify.keyring import Keyring
from recorder_client.verify.layout import MANIFEST, PROOFS
from recorder_client.verify.limit import (
    LINE_BYTES_MAX,
    LINES_IN_PART_MAX,
    PROOF_LINE_BYTES_MAX,
    Limits,
)
from recorder_client.verify.manifest import Manifest
from recorder_client.verify.opening import Opened, open_bundle
from recorder_client.verify.parts import Line, Parts
from recorder_client.verify.proof import GapAnchor, InclusionPath, read_proof_line
from recorder_client.verify.report import Answers, Report
from recorder_client.verify.rotation import EVENT_TYPES, Rotation
from recorder_client.verify.segment import Signing
from recorder_client.verify.segments import Segment, compare_end, compare_root, compare_segments, read_segments
from recorder_client.verify.signatures import USES, Signatures
from recorder_client.verify.succession import SegmentStart, Succession
from recorder_client.verify.tree import Paths, Tree
from recorder_client.verify.trust_root import TrustRoot


def verify_source(
    source: Source,
    size_bytes: int,
    trust_root: TrustRoot | None = None,
    known_heads: tuple[Checkpoint, ...] = (),
    limits: Limits | None = None,
) -> Report:
    """Verifies a bundle; raises `LimitError` where it asks for more than the limits allow."""
    findings, limits = Findings(), limits or Limits()
    opening = open_bundle(source, size_bytes, limits, findings)
    report = Report(opening.form, findings, Answers())
    if opening.bundle is not None:
        _Verification(opening.bundle, trust_root, known_heads, limits, findings).run(report)
    return report


def _subject(manifest: Manifest, form: str, envelope_count: int) -> dict[str, Value]:
    tenant_id, recorder_id = manifest.stream
    return {
        "bundle_id": manifest.bundle_id,
        "envelope_count": envelope_count,
        "form": form,
        "stream": {"recorder_id": recorder_id, "tenant_id": tenant_id},
        "tree_size": manifest.tree_size,
    }


@dataclass
class _Counts:
    """What was seen of the envelopes."""

    lines: int = 0
    envelopes: int = 0
    payloads_withheld: int = 0
    links: int = 0


class _Verification:
    """One bundle whose members are those of its manifest."""

    def __init__(
        self,
        bundle: Opened,
        trust_root: TrustRoot | None,
        known_heads: tuple[Checkpoint, ...],
        limits: Limits,
        findings: Findings,
    ) -> None:
        self.manifest, self.layout, self.container = bundle.manifest, bundle.layout, bundle.container
        self.findings, self.limits, self.known_heads = findings, limits, known_heads
        hashes = {part.name: part.sha256 for part in self.manifest.parts}
        self.parts = Parts(self.container, hashes, findings)
        self.segments = read_segments(self.manifest, self.layout.segments, self.parts, findings)
        self.anchors = Anchors([segment.listed.segment_id for segment in self.segments], findings)
        self.paths = Paths(findings)
        self.keyring = Keyring(self.manifest.stream, trust_root)
        self.signatures = Signatures(self.keyring, findings)
        self.attachments = Attachments(self.manifest.attachments, findings)
        wanted = {head.tree_size for head in known_heads}
        self.tree = Tree(self.manifest.tree_size, self.manifest.root, wanted, self.paths, findings)
        self.rounds = rounds_for(self.manifest.envelope_count, limits)
        self.counts = _Counts()
        self.rotations: dict[int, Rotation] = {}
        self.judged: set[int] = set()
        self.agreeing_heads = 0
        self.end_is_known = False
        self.checkpoint: Checkpoint | None = None

    def run(self, report: Report) -> None:
        """All phases."""
        self._check_statements()
        self._read_proofs()
        compare_segments(self.manifest, self.segments, self.findings)
        self._follow_rotations()
        self._read_envelopes()
        for number in range(1, self.rounds):
            self._repeat_identities(number)
        self._conclude_phases()
        self._judge_signatures()
        self._compare_heads()
        self._answer(report)

    def _check_statements(self) -> None:
        """What the manifest says of itself, and the text for people, of which only the hash is of interest."""
        if self.manifest.envelope_count == 0:
            self.findings.add("bundle_empty", in_part(MANIFEST), "the manifest states no envelopes")
        for index, segment in enumerate(self.manifest.segments):
            if segment.included_count == 0 or segment.envelope_count == 0:
                self.findings.add("segment_empty", in_segment(index), "the manifest states no envelopes of it")
        if self.layout.readme is not None:
            with contextlib.suppress(DamageError):
                for _ in self.parts.pieces(self.layout.readme):
                    pass

    def _read_proofs(self) -> None:
        """Anchors and paths up to the first line that is neither, or stands out of order."""
        if self.layout.proofs is None:
            return
        order = _ProofOrder()
        try:
            for line in self.parts.lines(self.layout.proofs, PROOF_LINE_BYTES_MAX):
                if not self._read_proof(line, order):
                    return
        except DamageError:
            return

    def _read_proof(self, line: Line, order: "_ProofOrder") -> bool:
        """One line of proofs; whether the next is read."""
        try:
            if line.data is None or not line.is_terminated:
                raise FormError("too long, or without a line end")
            proof = read_proof_line(line.data)
            order.check(proof)
        except FormError as error:
            self.findings.add("proof_malformed", in_line(PROOFS, line.number), str(error))
            return False
        if isinstance(proof, GapAnchor):
            self.anchors.add(line.number, proof)
        else:
            self.paths.add(line.number, proof)
        return True

    def _follow_rotations(self) -> None:
        succession = Succession(self.keyring)
        before: Segment | None = None
        for segment in self.segments:
            start = self._start(before, segment)
            before = segment
            if not succession.may_rotate(start):
                continue
            try:
                is_judged, rotation = succession.follow(start)
            except FormError as error:
                is_judged, rotation = True, None
                self.findings.add("rotation_invalid", in_line(segment.parts.envelopes[0], 1), str(error))
            if is_judged:
                self.judged.add(segment.index)
            if rotation is not None and start.has_before:
                self.rotations[segment.index] = rotation

    def _start(self, before: Segment | None, segment: Segment) -> SegmentStart:
        adjoins = (
            before is not None
            and before.genesis is not None
            and segment.genesis is not None
            and segment.genesis.segment_index == before.genesis.segment_index + 1
        )
        index = segment.genesis.segment_index if segment.genesis else None
        return SegmentStart(
            genesis=segment.genesis,
            first=self._first_envelope(segment),
            is_first_of_stream=index == 0 and segment.index == 0,
            has_before=adjoins,
            before_seal=before.seal if before is not None and adjoins else None,
        )

    def _first_envelope(self, segment: Segment) -> Envelope | None:
        if not segment.parts.envelopes:
            return None
        data = self.parts.first_line(segment.parts.envelopes[0], LINE_BYTES_MAX)
        try:
            return read_line(data) if data is not None else None
        except LineError:
            return None

    def _read_envelopes(self) -> None:
        identities = Identities(0, self.rounds, self.manifest.omitted_parent_ids, self.findings)
        clock = Clock()
        for segment in self.segments:
            self._read_segment(segment, identities, clock)
        identities.finish()
        if self.counts.lines != self.manifest.envelope_count:
            detail = f"{self.counts.lines} found, {self.manifest.envelope_count} stated"
            self.findings.add("envelope_count_mismatch", in_part(MANIFEST), detail)

    def _read_segment(self, segment: Segment, identities: Identities, clock: Clock) -> None:
        if not segment.parts.envelopes:
            self.findings.add("segment_empty", in_segment(segment.index), "the bundle holds no envelope of it")
            return
        listed, genesis_hash = segment.listed, segment.genesis.hash if segment.genesis else None
        chain = Chain(segment.index, genesis_hash, self.anchors, clock, self.findings)
        count = 0
        for name in segment.parts.envelopes:
            for place, is_line, envelope in self._lines(name):
                count += is_line
                if envelope is None:
                    chain.lose()
                    if is_line:
                        self.tree.lose()
                    else:
                        self.tree.break_off()
                    continue
                chain.add(envelope)
                identities.add(envelope, place)
                self._look_at(segment, envelope, place)
        chain.end(listed.envelope_count, listed.chain_head)
        self.counts.links += chain.links
        self.counts.lines += count
        compare_root(segment, self.tree, self.findings)
        self._compare_counts(segment, count, chain.next_sequence)

    def _lines(self, name: str) -> Iterator[tuple[Place, bool, Envelope | None]]:
        """Where each line stands, whether it counts as one, and the envelope that it holds.

        After a line that is too long, or damage, the rest of the part is not looked at.
        """
        number = 0
        try:
            for line in self.parts.lines(name, LINE_BYTES_MAX):
                number = line.number
                place = in_line(name, number)
                if line.data is None:
                    self.findings.add("line_too_long", place, "the rest of the part is not read")
                    yield place, False, None
                    return
                if not line.is_terminated:
                    self.findings.add("line_unterminated", place, "no line end")
                yield place, True, self._envelope(line.data, place)
        except DamageError:
            yield in_part(name), False, None
            return
        if not 1 <= number <= LINES_IN_PART_MAX:
            self.findings.add("part_line_count", in_part(name), f"{number} lines")

    def _envelope(self, data: bytes, place: Place) -> Envelope | None:
        try:
            return read_line(data)
        except LineError as error:
            self.findings.add(error.code, place, str(error))
            return None

    def _look_at(self, segment: Segment, envelope: Envelope, place: Place) -> None:
        """What one envelope says of itself, its segment and its signature."""
        findings, genesis = self.findings, segment.genesis
        here = in_segment(segment.index, envelope.sequence)
        self.counts.envelopes += 1
        self.counts.payloads_withheld += envelope.payload is None
        if envelope.computed_commitment not in (None, envelope.stated_commitment):
            findings.add("commitment_mismatch", place, "not the payload that is committed to")
        if envelope.computed_content_hash != envelope.stated_content_hash:
            findings.add("content_hash_mismatch", place, f"{envelope.computed_content_hash.hex()} computed")
        if envelope.segment_id != segment.listed.segment_id:
            findings.add("segment_id_mismatch", here, f"the envelope belongs to segment {envelope.segment_id}")
        if genesis is not None and envelope.position != genesis.first_position + envelope.sequence:
            findings.add("position_mismatch", here, f"position {envelope.position}")
        is_judged = envelope.sequence == 0 and segment.index in self.judged
        if envelope.event_type in EVENT_TYPES and not is_judged:
            findings.add("rotation_invalid", place, "not the first envelope of a segment")
        for reference in envelope.references:
            self.attachments.refer(reference, place)
        self.signatures.envelope(
            envelope, place, is_promised=genesis is not None and genesis.signing is Signing.ENVELOPES
        )
        self.tree.add(envelope.position, envelope.chain_hash)
        compare_end(segment, envelope, findings)

    def _compare_counts(self, segment: Segment, count: int, sequence_end: int) -> None:
        findings, listed, place = self.findings, segment.listed, in_segment(segment.index)
        if max(count, sequence_end) > listed.envelope_count:
            findings.add("envelope_count_mismatch", place, f"it holds more than the stated {listed.envelope_count}")
        if count != listed.included_count:
            findings.add("included_count_mismatch", place, f"{count} found, {listed.included_count} stated")
        if (count == listed.envelope_count) != listed.is_complete:
            findings.add("complete_flag_mismatch", place, f"{count} of {listed.envelope_count} envelopes are there")

    def _repeat_identities(self, number: int) -> None:
        """Another pass over all ids, for another share of them."""
        identities = Identities(number, self.rounds, self.manifest.omitted_parent_ids, self.findings)
        silent = Findings()
        for segment in self.segments:
            for name in segment.parts.envelopes:
                with contextlib.suppress(DamageError):
                    self._add_identities(identities, name, Parts(self.container, {}, silent))
        identities.finish()

    def _add_identities(self, identities: Identities, name: str, parts: Parts) -> None:
        for line in parts.lines(name, LINE_BYTES_MAX):
            if line.data is None:
                return
            with contextlib.suppress(LineError):
                identities.add(read_line(line.data), in_line(name, line.number))

    def _conclude_phases(self) -> None:
        self.attachments.read(self.layout.attachments, self.parts)
        self.attachments.finish()
        self.anchors.finish()
        self.tree.finish()

    def _judge_signatures(self) -> None:
        layout, manifest, signatures = self.layout, self.manifest, self.signatures
        promised = any(one.genesis is not None and one.genesis.signing >= Signing.CHECKPOINTS for one in self.segments)
        signatures.manifest(self.parts, manifest, layout.signature, is_promised=promised)
        self.checkpoint = signatures.checkpoint(self.parts, manifest, layout.checkpoint, is_promised=promised)
        for segment in self.segments:
            if segment.seal is not None:
                after = self.rotations.get(segment.index + 1)
                signatures.seal(segment.index, segment.genesis, segment.seal, after)
        signatures.finish()
        trust_root = self.keyring.trust_root
        if trust_root is not None and trust_root.has_witness_policy:
            self.findings.add("witness_policy_unchecked", BUNDLE, "cosignatures are counted, and not checked")

    def _compare_heads(self) -> None:
        for index, head in enumerate(self.known_heads):
            place = at_known_head(index)
            is_of_log = self.checkpoint is None or self.checkpoint.origin == head.origin
            if not is_of_log or not head.is_of_stream(*self.manifest.stream):
                self.findings.add("known_head_other_log", place, f"origin {head.origin}")
                continue
            if head.tree_size > self.manifest.tree_size:
                self.findings.add("known_head_ahead", place, f"the log had {head.tree_size} entries")
                continue
            is_own_size = head.tree_size == self.manifest.tree_size
            root = self.manifest.root if is_own_size else self.tree.root_at(head.tree_size)
            if root is None:
                self.findings.add("known_head_not_comparable", place, f"the root at {head.tree_size} cannot be told")
            elif root != head.root:
                self.findings.add("known_head_mismatch", place, f"at {head.tree_size} the root is {root.hex()}")
            else:
                self.agreeing_heads += 1
                self.end_is_known |= head.tree_size - 1 == self.tree.last_position

    def _answer(self, report: Report) -> None:
        findings, signatures = self.findings, self.signatures
        answers = report.answers
        is_looked_through = self.counts.envelopes > 0 and self.tree.is_tied
        is_intact = is_looked_through and not findings.bears_on("integrity", failures_only=True)
        answers.integrity = "intact" if is_intact else "broken"
        if findings.bears_on("authenticity", failures_only=True):
            answers.authenticity = "broken"
        elif is_intact and signatures.manifest_vouches and signatures.all_vouched():
            is_doubted = findings.bears_on("authenticity", failures_only=False)
            answers.authenticity = "unproven" if is_doubted else "proven"
        if not findings.bears_on("completeness", failures_only=True):
            is_all = self.tree.is_whole and not self.counts.payloads_withheld and not self.attachments.withheld
            answers.completeness = "complete" if is_all else "partial"
        if is_intact and not findings.bears_on("end", failures_only=False):
            answers.end = self._end()
        self._fill(report)

    def _end(self) -> str:
        last, segment = self.tree.last_position, self.segments[-1]
        if self.end_is_known:
            return "proven"
        end = segment.end()
        if last is None or end is None or end - 1 != last:
            return "unproven"
        if segment.seal is not None:
            return "proven" if segment.index in self.signatures.vouching_seals else "unproven"
        return "open" if self.signatures.checkpoint_vouches else "unproven"

    def _fill(self, report: Report) -> None:
        signatures, counts = self.signatures, self.counts
        report.is_reached = True
        report.subject = _subject(self.manifest, report.form, counts.envelopes)
        used = sorted(signatures.used, key=lambda one: (one[0], USES.index(one[1])))
        report.keys = [{"key_id": key_id, "on": use} for key_id, use in used]
        report.counts = {
            Phase.MANIFEST: {
                "part_bytes": sum(part.size_bytes for part in self.manifest.parts),
                "parts": len(self.manifest.parts),
                "segments": len(self.segments),
            },
            Phase.ATTACHMENTS: {
                "attachments": len(self.attachments.listed),
                "references": self.attachments.references,
                "withheld": len(self.attachments.withheld),
            },
            Phase.CONTENT: {
                "envelopes": counts.envelopes,
                "omitted_parents": len(set(self.manifest.omitted_parent_ids)),
                "payloads_withheld": counts.payloads_withheld,
            },
            Phase.CHAIN: {"gap_anchors": self.anchors.used, "links": counts.links},
            Phase.SEGMENTS: {
                "sealed": sum(segment.seal is not None for segment in self.segments),
                "segments": len(self.segments),
            },
            Phase.SIGNATURES: {
                "envelopes": signatures.vouched_envelopes,
                "keys": len({key_id for key_id, _ in signatures.used}),
                "verified": signatures.verified,
            },
            Phase.ANCHORS: {
                "cosignatures": signatures.cosignatures,
                "inclusion_paths": self.paths.used,
                "known_heads": self.agreeing_heads,
                "roots_recomputed": int(self.tree.is_recomputed),
                "runs": self.tree.runs,
            },
        }


class _ProofOrder:
    """All gap anchors, then all inclusion paths by position."""

    def __init__(self) -> None:
        self._last: int | None = None

    def check(self, proof: GapAnchor | InclusionPath) -> None:
        """Raises `FormError` where a line stands out of order. Anchors are held to theirs when they are taken."""
        is_after = self._last is None
        if isinstance(proof, InclusionPath):
            is_after = self._last is None or self._last < proof.position
            self._last = proof.position
        if not is_after:
            raise FormError("lines are out of order")
