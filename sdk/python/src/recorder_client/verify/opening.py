"""The first phase (format §15): the container, the manifest, and that members and parts agree.

Deliberately absent: anything that would have to be believed if this phase found something.
"""

from dataclasses import dataclass

from recorder_client.verify.archive import SIGNATURES, Archive
from recorder_client.verify.container import Container, ContainerError, DamageError, Source, read_whole
from recorder_client.verify.document import Document
from recorder_client.verify.finding import BUNDLE, Findings, in_part
from recorder_client.verify.layout import MANIFEST, SIGNATURE, Layout, read_layout
from recorder_client.verify.limit import Limits, require
from recorder_client.verify.manifest import Manifest, ManifestError, read_manifest


@dataclass(frozen=True)
class Opened:
    """A bundle whose manifest can be taken at its word about what the members are."""

    container: Container
    manifest: Manifest
    layout: Layout


@dataclass(frozen=True)
class Opening:
    """How far the first phase came."""

    form: str
    manifest: Manifest | None
    bundle: Opened | None


def open_bundle(source: Source, size_bytes: int, limits: Limits, findings: Findings) -> Opening:
    """Opens a bundle; where it cannot be, findings say why."""
    form = "archive"
    try:
        container = _open_container(source, size_bytes, limits)
        form = container.form
        manifest = _read_manifest(container, limits)
    except ContainerError as error:
        findings.add(error.code, error.place, str(error))
        return Opening(form, None, None)
    except (DamageError, ManifestError) as error:
        findings.add(error.code, in_part(MANIFEST), str(error))
        return Opening(form, None, None)
    _require_limits(container, manifest, limits)
    before = findings.total
    _compare_members(container, manifest, findings)
    if findings.total > before:
        return Opening(form, manifest, None)
    layout = read_layout(manifest, is_signed=SIGNATURE in container.names(), findings=findings)
    return Opening(form, manifest, Opened(container, manifest, layout) if layout else None)


def _open_container(source: Source, size_bytes: int, limits: Limits) -> Container:
    source.seek(0)
    beginning = source.read(4)
    if beginning in SIGNATURES:
        return Archive(source, size_bytes, limits.inflate_ratio_max)
    if beginning[:1] != b"{":
        raise ContainerError("container_unrecognised", "neither an archive nor a document", BUNDLE)
    require("bytes of a document", size_bytes, limits.document_bytes_max)
    source.seek(0)
    return Document(source.read(size_bytes), limits.document_bytes_max)


def _read_manifest(container: Container, limits: Limits) -> Manifest:
    names = container.names()
    if MANIFEST not in names or (container.form == "archive" and names[0] != MANIFEST):
        raise ContainerError("manifest_missing", "no manifest where it must be", in_part(MANIFEST))
    require("bytes of a manifest", container.size_bytes(MANIFEST), limits.manifest_bytes_max)
    return read_manifest(read_whole(container, MANIFEST), limits.manifest_bytes_max)


def _require_limits(container: Container, manifest: Manifest, limits: Limits) -> None:
    is_document = container.form == "document"
    require("segments", len(manifest.segments), limits.segments_max)
    envelopes_max = limits.document_envelopes_max if is_document else limits.archive_envelopes_max
    require("envelopes", manifest.envelope_count, envelopes_max)
    for segment in manifest.segments:
        require("envelopes a segment", segment.envelope_count, limits.segment_envelopes_max)
        require("envelopes a segment", segment.included_count, limits.segment_envelopes_max)
    if is_document:
        require("attachments", len(manifest.attachments), limits.document_attachments_max)


def _compare_members(container: Container, manifest: Manifest, findings: Findings) -> None:
    """That the members are the manifest, its signature and the listed parts, in this order and of these sizes."""
    places = {name: index for index, name in enumerate(container.names())}
    signed = [SIGNATURE] if SIGNATURE in places else []
    listed = [part.name for part in manifest.parts]
    expected = [MANIFEST, *signed, *listed]
    seen: set[str] = set()
    for index, name in enumerate(expected):
        if name not in places:
            findings.add("member_missing", in_part(name), "not there")
            continue
        if name in seen:
            findings.add("part_list", in_part(name), "listed before")
        seen.add(name)
        if places[name] != index and container.form == "archive":
            findings.add("member_order", in_part(name), "stands elsewhere")
    for name in places:
        if name not in seen:
            findings.add("member_unknown", in_part(name), "the manifest does not name it")
    for part in manifest.parts:
        if part.name in places and container.size_bytes(part.name) != part.size_bytes:
            findings.add("member_size", in_part(part.name), "another size than stated")
