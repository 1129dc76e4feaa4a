"""Mutants of honest bundles: of bytes, of the archive, of JSON, and of meaning with everything resealed as an insider would.

The same seed gives the same mutants.
"""

import base64
import copy
import json
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge import (
    Bundle,
    archive_of,
    checkpoint_of,
    digest,
    document_of,
    jcs,
    named,
    parts_of_archive,
    restated,
    signature_object,
)

from recorder_client.verify.signature import seal_message

INTERESTING = [
    None, True, False, 0, 1, 2, 3, -1, 2**40 - 1, 2**40, 2**53, 2**53 + 2, 1e21, 0.5, "", " ", "x", "\u200b", "\u00e9", [], {}, [1], {"a": 1},
    "0" * 64, "f" * 64, "A" * 64, "01936b2e-7c0e-7000-8000-000000000002", "2026-11-22T00:00:00Z",
    "2026-11-22T00:00:00.000000000Z", "2262-04-11T23:47:16.854775808Z", "none", "checkpoints", "envelopes", "manual",
    "key_rotation", "system.adapter.key_rotated", "text/plain", "a;b", "acme", "recorder-1",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A bundle, and what it is verified with."""

    name: str
    data: bytes
    trust_root: str | None
    known_heads: tuple[str, ...]


@dataclass(frozen=True)
class Seed:
    """An honest bundle to make mutants of."""

    name: str
    parts: dict[str, bytes]
    known_heads: tuple[str, ...]


def seeds(bundles: Path) -> list[Seed]:
    """The honest archives of the corpus."""
    found = []
    for path in sorted((bundles / "valid").glob("*.recorder.zip")):
        expected = json.loads(path.with_name(path.name.replace(".recorder.zip", ".expected.json")).read_text("utf-8"))
        head = expected["known_head"]
        name = path.name.removesuffix(".recorder.zip")
        found.append(Seed(name, parts_of_archive(path.read_bytes()), (head,) if head else ()))
    return found


def mutants(bundles: Path, seed: int, numbers: Iterable[int]) -> Iterator[Case]:
    """The mutants of these numbers."""
    honest = seeds(bundles)
    roots: list[str | None] = [path.read_text("utf-8") for path in sorted((bundles / "trust-roots").glob("*.json"))]
    usual = (bundles / "trust-roots/recorder.json").read_text("utf-8")
    for number in numbers:
        chance = random.Random(f"{seed}:{number}")
        one = chance.choice(honest)
        kind = chance.choice(KINDS)
        trust_root = usual if chance.random() < 0.6 else chance.choice([*roots, None])
        heads = one.known_heads if chance.random() < 0.7 else _heads(one, chance)
        yield Case(f"{seed}:{number} {kind.__name__} of {one.name}", kind(one, chance), trust_root, heads)


def _heads(one: Seed, chance: random.Random) -> tuple[str, ...]:
    """Heads of some size, of this log or another, by whoever."""
    manifest = json.loads(one.parts["manifest.json"])
    root = bytes.fromhex(manifest["root_hash"]) if chance.random() < 0.7 else chance.randbytes(32)
    size = max(0, manifest["tree_size"] + chance.choice([-2, -1, 0, 0, 0, 1]))
    root = digest(b"") if size == 0 else root
    origin = chance.choice(
        ["recorder.local/acme/recorder-1"] * 4 + ["other/acme/recorder-1", "recorder.local/acme/other"]
    )
    return tuple(checkpoint_of(origin, size, root, 1) for _ in range(chance.choice([1, 1, 2])))


def _bytes(one: Seed, chance: random.Random) -> bytes:
    """Flips, inserts, removes or repeats bytes of an archive."""
    return _mutated(_archive(one, chance), chance)


def _document_bytes(one: Seed, chance: random.Random) -> bytes:
    """The same for a document."""
    return _mutated(document_of(one.parts), chance)


def _archive(one: Seed, chance: random.Random) -> bytes:
    share = chance.choice([0, 0, 0.5, 1])
    return archive_of(one.parts, lambda _: chance.random() < share)


def _mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        at = chance.randrange(len(changed)) if changed else 0
        length = chance.choice([1, 1, 2, 4, 40])
        match chance.randrange(6):
            case 0 | 1:
                changed[at : at + 1] = bytes([changed[at] ^ (1 << chance.randrange(8))]) if changed else b"x"
            case 2:
                changed[at : at + length] = chance.randbytes(length)
            case 3:
                changed[at:at] = chance.choice(
                    [chance.randbytes(length), b" ", b"\n", b"\r", b"{}", b"\x00", bytes(changed[at : at + length])]
                )
            case 4:
                del changed[at : at + length]
            case 5:
                del changed[at:]
    return bytes(changed)


def _zip_fields(one: Seed, chance: random.Random) -> bytes:
    """Changes fields of headers, in one or in both."""
    data = bytearray(_archive(one, chance))
    signatures = [(b"PK\x03\x04", 30), (b"PK\x01\x02", 46), (b"PK\x05\x06", 22)]
    signature, length = chance.choice(signatures)
    places = [at for at in range(len(data)) if data[at : at + 4] == signature]
    at = chance.choice(places)
    for _ in range(chance.choice([1, 1, 2])):
        field = at + chance.randrange(0, length, 2)
        value = chance.choice([0, 1, 8, 20, 45, 0x21, 0xFFFF, chance.randrange(1 << 16), data[field] ^ 1])
        data[field : field + 2] = struct.pack("<H", value & 0xFFFF)
    return bytes(data)


def _members(one: Seed, chance: random.Random) -> bytes:
    """Leaves out, renames, repeats or exchanges members; sometimes restates the manifest."""
    items = list(one.parts.items())
    for _ in range(chance.choice([1, 1, 2])):
        index = chance.randrange(len(items))
        name, data = items[index]
        match chance.randrange(5):
            case 0:
                del items[index]
            case 1:
                names = [
                    name.upper(),
                    name + "x",
                    "../" + name,
                    "notes.txt",
                    "proofs/000000.jsonl",
                    "checkpoint",
                    name.replace("000000", "000001"),
                ]
                items[index] = (chance.choice(names), data)
            case 2:
                items.insert(
                    chance.randrange(len(items) + 1),
                    (chance.choice(["notes.txt", "attachments/sha256/" + "a" * 64, "segments/000000/seal.json"]), data),
                )
            case 3:
                items.insert(index, items.pop(chance.randrange(len(items))))
            case 4:
                items[index] = (name, _mutated(data, chance))
        if not items:
            items = [("README.txt", b"")]
    parts = dict(items)
    if chance.random() < 0.6 and "manifest.json" in parts:
        return archive_of(_restated(parts, chance, one))
    return archive_of(parts)


def _restated(parts: dict[str, bytes], chance: random.Random, one: Seed) -> dict[str, bytes]:
    """The parts under a manifest that lists them as they are."""
    manifest = json.loads(one.parts["manifest.json"])
    others = {name: data for name, data in parts.items() if name not in ("manifest.json", "manifest.dsse.json")}
    return restated(manifest, others, 1 if "manifest.dsse.json" in parts and chance.random() < 0.8 else None)


def _text(one: Seed, chance: random.Random) -> bytes:
    """Changes the text of a part, and restates the manifest."""
    parts = dict(one.parts)
    name = chance.choice([name for name in parts if name != "README.txt"])
    parts[name] = _spelled(parts[name], chance) if chance.random() < 0.6 else _mutated(parts[name], chance)
    if name in ("manifest.json", "manifest.dsse.json"):
        return archive_of(parts)
    return archive_of(_restated(parts, chance, one))


def _spelled(data: bytes, chance: random.Random) -> bytes:
    """Another spelling of some of a JSON text, or something near one."""
    text = data.decode(errors="surrogateescape")
    choices: list[Callable[[str], str]] = [
        lambda one: one.replace(":", ": ", 1),
        lambda one: one.replace("a", "\\u0061", 1),
        lambda one: one.replace("\n", "\r\n", 1),
        lambda one: one.replace("\n", "\n\n", 1),
        lambda one: one.removesuffix("\n"),
        lambda one: one + " ",
        lambda one: one + "\n",
        lambda one: "\ufeff" + one,
        lambda one: one.replace(":0", ":-0", 1),
        lambda one: one.replace(":1", ":1.0", 1),
        lambda one: one.replace(":1", ":1e0", 1),
        lambda one: one.replace(":1", ":9007199254740993", 1),
        lambda one: one.replace("null", "nul", 1),
        lambda one: one.replace('"payload"', '"payload":1,"payload"', 1),
        lambda one: one.replace("}", ',"x":1}', 1),
        lambda one: one.replace('","', '", "', 1),
        lambda one: one.replace("\u2014", "-", 1),
        lambda one: "".join(reversed(one.splitlines(keepends=True))),
        lambda one: one + one.splitlines(keepends=True)[-1],
        lambda one: "".join(one.splitlines(keepends=True)[:-1]),
        lambda one: "".join(one.splitlines(keepends=True)[1:]),
    ]
    return chance.choice(choices)(text).encode(errors="surrogateescape") if text else b" "


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value."""
    if isinstance(value, dict):
        for name in value:
            yield (*path, name)
            yield from _paths(value[name], (*path, name))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield (*path, index)
            yield from _paths(value[index], (*path, index))


def _change(value: Any, chance: random.Random) -> None:
    """Changes one place of a value: replaces, removes, adds, or takes over what stands elsewhere."""
    paths = list(_paths(value))
    if not paths:
        return
    path = chance.choice(paths)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    match chance.randrange(8):
        case 0 | 1:
            holder[path[-1]] = copy.deepcopy(chance.choice(INTERESTING))
        case 2:
            del holder[path[-1]]
        case 3:
            if isinstance(holder, dict):
                holder[chance.choice(["x", "withheld", "signature", "payload"])] = chance.choice(INTERESTING)
            else:
                holder.insert(chance.randrange(len(holder) + 1), copy.deepcopy(old))
        case 4 | 5:
            holder[path[-1]] = _near(old, chance)
        case 6:
            other = value
            for step in chance.choice(paths):
                other = other[step]
            holder[path[-1]] = copy.deepcopy(other)
        case 7:
            if isinstance(holder, list):
                chance.shuffle(holder)
            else:
                holder[path[-1]] = _near(old, chance)


def _near(old: Any, chance: random.Random) -> Any:
    """A value like the old one."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return max(0, old + chance.choice([-1, 1, 1, 2, 7]))
    if isinstance(old, str) and old:
        at = chance.randrange(len(old))
        return old[:at] + chance.choice("0123456789abcdefgA-.:/ \u200b\u00e9\u3164") + old[at + 1 :]
    if isinstance(old, list):
        return old[1:] if chance.random() < 0.5 else old + old[:1]
    return chance.choice(INTERESTING)


def _json(one: Seed, chance: random.Random) -> bytes:
    """Changes members of one part, in canonical form, and restates the manifest."""
    parts = dict(one.parts)
    name = chance.choice([name for name in parts if name.endswith((".json", ".jsonl"))])
    values = [json.loads(line) for line in parts[name].splitlines()]
    _change(values if chance.random() < 0.3 and len(values) > 1 else chance.choice(values), chance)
    end = b"\n" if name.endswith(".jsonl") else b""
    parts[name] = b"".join(jcs(value) + end for value in values)
    if name == "manifest.dsse.json":
        return _either(parts, chance)
    if name == "manifest.json":
        manifest = values[0]
        try:
            return _either({**parts, **named(manifest, 1 if "manifest.dsse.json" in parts else None)}, chance)
        except (TypeError, AttributeError, ValueError):
            return _either(parts, chance)
    return _either(_restated(parts, chance, one), chance)


def _either(parts: dict[str, bytes], chance: random.Random) -> bytes:
    """An archive, or now and then a document."""
    if chance.random() < 0.15:
        try:
            return document_of(parts)
        except ValueError:
            pass
    return archive_of(parts, lambda _: chance.random() < 0.2)


def _resealed(one: Seed, chance: random.Random) -> bytes:
    """Changes what a log means, and recomputes everything that follows from it."""
    bundle = Bundle.read(one.parts)
    whole = all(segment["complete"] for segment in bundle.manifest["segments"]) and not bundle.proofs
    bundle.seed = chance.choice([1, 1, 1, 1, 2, 0xAA])
    try:
        for _ in range(chance.choice([1, 1, 2])):
            chance.choice(SEMANTIC)(bundle, chance)
        if whole and chance.random() < 0.85:
            bundle.reseal()
        _recount(bundle, chance)
        _change_after(bundle, chance)
        return _either(bundle.parts(), chance)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, struct.error):
        return _json(one, chance)


def _recount(bundle: Bundle, chance: random.Random) -> None:
    """Restates the counts, mostly."""
    if chance.random() < 0.2:
        return
    total = 0
    for stated, (genesis, _, envelopes) in zip(bundle.manifest["segments"], bundle.segments, strict=False):
        stated["included_count"] = len(envelopes)
        stated["segment_id"] = genesis["segment_id"]
        if chance.random() < 0.8 and stated["complete"]:
            stated["envelope_count"] = len(envelopes)
        stated["complete"] = stated["included_count"] == stated["envelope_count"]
        total += len(envelopes)
    bundle.manifest["envelope_count"] = total


def _change_after(bundle: Bundle, chance: random.Random) -> None:
    """Sometimes one more change that is not recomputed."""
    if chance.random() < 0.25:
        target: Any = chance.choice([bundle.manifest, [list(one) for one in bundle.segments], bundle.proofs or [{}]])
        _change(target, chance)


def _pick(bundle: Bundle, chance: random.Random) -> tuple[dict[str, Any], dict[str, Any] | None, list[dict[str, Any]]]:
    return chance.choice(bundle.segments)


def _change_envelope(bundle: Bundle, chance: random.Random) -> None:
    _, _, envelopes = _pick(bundle, chance)
    if envelopes:
        _change(chance.choice(envelopes), chance)


def _change_genesis(bundle: Bundle, chance: random.Random) -> None:
    _change(_pick(bundle, chance)[0], chance)


def _change_seal(bundle: Bundle, chance: random.Random) -> None:
    _, seal, _ = _pick(bundle, chance)
    if seal is not None:
        _change(seal, chance)
        if chance.random() < 0.6 and isinstance(seal.get("seal"), dict):
            seal["signature"] = signature_object(bundle.seed, seal_message(digest(jcs(seal["seal"]))))


def _drop_envelope(bundle: Bundle, chance: random.Random) -> None:
    _, _, envelopes = _pick(bundle, chance)
    if envelopes:
        del envelopes[chance.randrange(len(envelopes))]
        _renumber(bundle, chance)


def _repeat_envelope(bundle: Bundle, chance: random.Random) -> None:
    _, _, envelopes = _pick(bundle, chance)
    if envelopes:
        envelopes.insert(chance.randrange(len(envelopes) + 1), copy.deepcopy(chance.choice(envelopes)))
        _renumber(bundle, chance)


def _exchange_envelopes(bundle: Bundle, chance: random.Random) -> None:
    _, _, envelopes = _pick(bundle, chance)
    chance.shuffle(envelopes)
    _renumber(bundle, chance)


def _renumber(bundle: Bundle, chance: random.Random) -> None:
    """Sequences and positions as they must be, mostly."""
    if chance.random() < 0.3:
        return
    position = 0
    for genesis, _, envelopes in bundle.segments:
        genesis["first_position"] = position
        for sequence, envelope in enumerate(envelopes):
            envelope["sequence"], envelope["position"] = sequence, position
            position += 1


def _drop_segment(bundle: Bundle, chance: random.Random) -> None:
    if len(bundle.segments) > 1:
        index = chance.randrange(len(bundle.segments))
        del bundle.segments[index]
        del bundle.manifest["segments"][index]


def _repeat_segment(bundle: Bundle, chance: random.Random) -> None:
    index, to = chance.randrange(len(bundle.segments)), chance.randrange(len(bundle.segments) + 1)
    bundle.segments.insert(to, copy.deepcopy(bundle.segments[index]))
    bundle.manifest["segments"].insert(to, copy.deepcopy(bundle.manifest["segments"][index]))


def _exchange_segments(bundle: Bundle, chance: random.Random) -> None:
    order = list(range(len(bundle.segments)))
    chance.shuffle(order)
    bundle.segments = [bundle.segments[index] for index in order]
    bundle.manifest["segments"] = [bundle.manifest["segments"][index] for index in order]


def _open_segment(bundle: Bundle, chance: random.Random) -> None:
    index = chance.randrange(len(bundle.segments))
    genesis, _, envelopes = bundle.segments[index]
    bundle.segments[index] = (genesis, None, envelopes)
    if chance.random() < 0.7:
        bundle.manifest["segments"][index]["seal_hash"] = None


def _strip_signatures(bundle: Bundle, chance: random.Random) -> None:
    if chance.random() < 0.5:
        bundle.is_signed = False
    if chance.random() < 0.5:
        bundle.checkpoint = None
    for genesis, seal, envelopes in bundle.segments:
        if seal is not None and chance.random() < 0.5:
            seal["signature"] = None
        if chance.random() < 0.5:
            genesis["signing"] = chance.choice(["none", "checkpoints", "envelopes"])
        for envelope in envelopes:
            if chance.random() < 0.3:
                envelope["signature"] = None


def _sign_envelopes(bundle: Bundle, chance: random.Random) -> None:
    for _, _, envelopes in bundle.segments:
        for envelope in envelopes:
            if chance.random() < 0.6:
                message = b"recorder signature v1: envelope\n" + bytes.fromhex(
                    envelope["content_hash"] + envelope["chain_hash"]
                )
                envelope["signature"] = signature_object(chance.choice([1, 2, 0xAA]), message)


def _withhold(bundle: Bundle, chance: random.Random) -> None:
    _, _, envelopes = _pick(bundle, chance)
    for envelope in envelopes:
        if chance.random() < 0.5:
            envelope["payload"], envelope["payload_salt"] = None, None


def _change_manifest(bundle: Bundle, chance: random.Random) -> None:
    _change(bundle.manifest, chance)


def _change_checkpoint(bundle: Bundle, chance: random.Random) -> None:
    if bundle.checkpoint is not None:
        origin = chance.choice(
            [
                "recorder.local/acme/recorder-1",
                "recorder.local/other/recorder-1",
                "x/acme/recorder-1",
                "acme/recorder-1",
            ]
        )
        root = bytes.fromhex(bundle.manifest["root_hash"]) if chance.random() < 0.7 else chance.randbytes(32)
        size = bundle.manifest["tree_size"] + chance.choice([0, 0, 1, -1])
        bundle.checkpoint = checkpoint_of(origin, size, root, chance.choice([1, 1, 2, 0xAA]))
        if chance.random() < 0.3:
            note = base64.b64encode(chance.randbytes(chance.choice([4, 5, 68, 76]))).decode()
            bundle.checkpoint += f"\u2014 {chance.choice(['witness.example/w', origin, 'a+b', 'x y'])} {note}\n"


def _change_proofs(bundle: Bundle, chance: random.Random) -> None:
    if bundle.proofs:
        _change(bundle.proofs, chance)
    else:
        stated = bundle.manifest["segments"][0]
        bundle.proofs = [
            {
                "after_sequence": chance.randrange(4),
                "chain_hash": stated["chain_head"],
                "kind": "gap",
                "segment_id": stated["segment_id"],
            },
            {
                "kind": "inclusion",
                "path": [stated["chain_head"]] * chance.randrange(3),
                "position": chance.randrange(4),
            },
        ][chance.randrange(2) :]


def _change_attachments(bundle: Bundle, chance: random.Random) -> None:
    data = chance.choice([b"", b"abc", b"new"])
    name = digest(data).hex()
    if chance.random() < 0.7:
        bundle.attachments[f"attachments/sha256/{name}"] = data if chance.random() < 0.8 else b"other"
    bundle.attachments = dict(sorted(bundle.attachments.items()))
    entry: dict[str, Any] = {"content_hash": name, "content_type": "text/plain", "size_bytes": len(data)}
    if chance.random() < 0.7:
        listed = dict(entry)
        if chance.random() < 0.3:
            listed["withheld"] = chance.choice([True, True, False])
        bundle.manifest["attachments"].append(listed)
        if chance.random() < 0.7:
            bundle.manifest["attachments"].sort(key=lambda one: (one["content_hash"], one["content_type"]))
    _, _, envelopes = _pick(bundle, chance)
    if envelopes and chance.random() < 0.7:
        envelope = chance.choice(envelopes)
        envelope["attachment_refs"] = sorted(
            [*envelope["attachment_refs"], entry], key=lambda one: str(one["content_hash"])
        )


def _change_parents(bundle: Bundle, chance: random.Random) -> None:
    ids = [envelope["envelope_id"] for _, _, envelopes in bundle.segments for envelope in envelopes]
    ids += ["01936b2e-7c0e-7000-8000-0000000000ff", "01936b2e-7c0e-7000-8000-0000000000fe"]
    _, _, envelopes = _pick(bundle, chance)
    if envelopes:
        chance.choice(envelopes)["parent_ids"] = sorted(set(chance.sample(ids, min(len(ids), 2))))
    if chance.random() < 0.6:
        bundle.manifest["omitted_parent_ids"] = chance.sample(ids, chance.randrange(1, min(4, len(ids) + 1)))


SEMANTIC: list[Callable[[Bundle, random.Random], None]] = [
    _change_envelope, _change_envelope, _change_envelope, _change_genesis, _change_genesis, _change_seal, _change_seal,
    _drop_envelope, _repeat_envelope, _exchange_envelopes, _drop_segment, _repeat_segment, _exchange_segments,
    _open_segment, _strip_signatures, _sign_envelopes, _withhold, _change_manifest, _change_manifest,
    _change_checkpoint, _change_proofs, _change_proofs, _change_attachments, _change_attachments, _change_parents,
]  # fmt: skip


def _split_parts(one: Seed, chance: random.Random) -> bytes:
    """Spreads a segment over several parts, and now and then breaks a line in one of them."""
    parts: dict[str, bytes] = {}
    for name, data in one.parts.items():
        if "/envelopes-" not in name:
            parts[name] = data
            continue
        lines = data.splitlines(keepends=True)
        number = 0
        while lines:
            count = chance.randrange(1, len(lines) + 1)
            chunk, lines = b"".join(lines[:count]), lines[count:]
            if chance.random() < 0.3:
                chunk = _mutated(chunk, chance) if chance.random() < 0.5 else _spelled(chunk, chance)
            parts[name.replace("envelopes-000000", f"envelopes-{number:06}")] = chunk
            number += 1
    return archive_of(_restated(parts, chance, one), lambda _: chance.random() < 0.3)


def _deflate_bytes(one: Seed, chance: random.Random) -> bytes:
    """Breaks the data of deflated members."""
    data = bytearray(archive_of(one.parts, lambda _: True))
    places = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x03\x04"]
    at = chance.choice(places)
    stored, name_bytes = struct.unpack_from("<I", data, at + 18)[0], struct.unpack_from("<H", data, at + 26)[0]
    if stored:
        where = at + 30 + name_bytes + chance.randrange(stored)
        data[where] ^= 1 << chance.randrange(8)
    return bytes(data)


KINDS: list[Callable[[Seed, random.Random], bytes]] = [
    _bytes, _document_bytes, _zip_fields, _members, _text, _json, _json, _resealed, _resealed, _resealed, _split_parts,
    _deflate_bytes,
]  # fmt: skip


def relisted(parts: dict[str, bytes]) -> dict[str, bytes]:
    """The parts under their own manifest, which lists them as they are."""
    manifest = json.loads(parts["manifest.json"])
    others = {name: data for name, data in parts.items() if name not in ("manifest.json", "manifest.dsse.json")}
    return restated(manifest, others, None)
