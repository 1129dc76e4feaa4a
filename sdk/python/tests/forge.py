"""Takes bundles apart, and puts them together again as an insider would: hashes, seals, roots and signatures recomputed."""

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder_client.verify import merkle
from recorder_client.verify.json_text import canonical_text
from recorder_client.verify.manifest import bundle_id_of
from recorder_client.verify.signature import manifest_message, seal_message
from recorder_client.verify.time import nanoseconds

KEY_TYPE = b"\x01"


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def jcs(value: Any) -> bytes:
    return canonical_text(value).encode()


def signed_by(seed: int, message: bytes) -> tuple[str, bytes]:
    """The id of the key with this seed, and its signature."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return digest(key.public_key().public_bytes_raw()).hex(), key.sign(message)


def signature_object(seed: int, message: bytes) -> dict[str, Any]:
    key_id, value = signed_by(seed, message)
    return {"algorithm": "ed25519", "key_id": key_id, "value": value.hex()}


def parts_of_archive(data: bytes) -> dict[str, bytes]:
    """The members of an honest archive, in order."""
    parts: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] == b"PK\x03\x04":
        method, stored = struct.unpack_from("<H", data, at + 8)[0], struct.unpack_from("<I", data, at + 18)[0]
        name_bytes, extra_bytes = struct.unpack_from("<HH", data, at + 26)
        name = data[at + 30 : at + 30 + name_bytes].decode()
        at += 30 + name_bytes + extra_bytes
        plain = data[at : at + stored]
        parts[name] = plain if method == 0 else zlib.decompress(plain, -15)
        at += stored
    return parts


def archive_of(parts: dict[str, bytes], deflated: Callable[[str], bool] = lambda _: False) -> bytes:
    """The archive that a writer makes of these members."""
    body, directory = b"", b""
    for name, plain in parts.items():
        data, method = plain, 0
        if deflated(name):
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            data, method = packer.compress(plain) + packer.flush(), 8
        common = (20, 0, method, 0, 0x21, zlib.crc32(plain), len(data), len(plain), len(name), 0)
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, *common, 0, 0, 0, 0, len(body)) + name.encode()
        body += struct.pack("<IHHHHHIIIHH", 0x04034B50, *common) + name.encode() + data
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(parts), len(parts), len(directory), len(body), 0)
    return body + directory + end


def document_of(parts: dict[str, bytes]) -> bytes:
    """The document of the same parts."""
    values: dict[str, Any] = {}
    for name, data in parts.items():
        if name.startswith("attachments/"):
            values[name] = base64.b64encode(data).decode()
        elif name.endswith(".jsonl"):
            values[name] = [json.loads(line) for line in data.splitlines()]
        else:
            values[name] = json.loads(data) if name.endswith(".json") else data.decode()
    return jcs({"parts": values, "type": "recorder.bundle-document/v1"})


@dataclass
class Bundle:
    """A bundle as values that can be changed."""

    manifest: dict[str, Any]
    segments: list[tuple[dict[str, Any], dict[str, Any] | None, list[dict[str, Any]]]]
    proofs: list[dict[str, Any]]
    checkpoint: str | None
    readme: bytes
    attachments: dict[str, bytes]
    is_signed: bool
    seed: int = 1
    line_edits: list[Callable[[bytes], bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, parts: dict[str, bytes]) -> "Bundle":
        segments = []
        for index in range(len(json.loads(parts["manifest.json"])["segments"])):
            folder = f"segments/{index:06}/"
            seal = parts.get(folder + "seal.json")
            lines = b"".join(data for name, data in parts.items() if name.startswith(folder + "envelopes-"))
            envelopes = [json.loads(line) for line in lines.splitlines()]
            segments.append((json.loads(parts[folder + "genesis.json"]), json.loads(seal) if seal else None, envelopes))
        checkpoint = parts.get("checkpoint")
        return cls(
            manifest=json.loads(parts["manifest.json"]),
            segments=segments,
            proofs=[json.loads(line) for line in parts.get("proofs/000000.jsonl", b"").splitlines()],
            checkpoint=checkpoint.decode() if checkpoint else None,
            readme=parts["README.txt"],
            attachments={name: data for name, data in parts.items() if name.startswith("attachments/")},
            is_signed="manifest.dsse.json" in parts,
        )

    def reseal(self) -> None:
        """Recomputes commitments, hashes, chain, seals, roots and the checkpoint, of a bundle that holds the whole log."""
        log = merkle.Log()
        before: tuple[dict[str, Any], dict[str, Any], bytes] | None = None
        for stated, (genesis, seal, envelopes) in zip(self.manifest["segments"], self.segments, strict=False):
            if genesis["predecessor"] is not None and before is not None:
                genesis["predecessor"]["chain_head"] = before[1]["chain_head"]
                genesis["predecessor"]["seal_hash"] = before[2].hex()
            previous = digest(jcs(genesis))
            stated["genesis_hash"] = previous.hex()
            for envelope in envelopes:
                previous = rehash(envelope, previous, self.seed)
                log.append(previous)
            stated["chain_head"] = previous.hex()
            if seal is not None and envelopes:
                self._reseal_segment(seal["seal"], stated, genesis, envelopes, log)
                seal_hash = digest(jcs(seal["seal"]))
                stated["seal_hash"] = seal_hash.hex()
                if seal["signature"] is not None:
                    seal["signature"] = signature_object(self.seed, seal_message(seal_hash))
                before = (genesis, seal["seal"], seal_hash)
        self.manifest["root_hash"] = log.root().hex()
        self.manifest["tree_size"] = log.size
        self._recheckpoint(log)

    def _reseal_segment(
        self,
        seal: dict[str, Any],
        stated: dict[str, Any],
        genesis: dict[str, Any],
        envelopes: list[dict[str, Any]],
        log: merkle.Log,
    ) -> None:
        seal.update(
            chain_head=stated["chain_head"],
            envelope_count=len(envelopes),
            first_envelope_id=envelopes[0]["envelope_id"],
            last_envelope_id=envelopes[-1]["envelope_id"],
            genesis_hash=stated["genesis_hash"],
            root_hash=log.root().hex(),
            tree_size=log.size,
            segment_id=genesis["segment_id"],
        )

    def _recheckpoint(self, log: merkle.Log) -> None:
        if self.checkpoint is not None:
            origin = self.checkpoint.split("\n")[0]
            self.checkpoint = checkpoint_of(origin, log.size, log.root(), self.seed)

    def parts(self) -> dict[str, bytes]:
        """The parts, with a manifest that lists them as they are."""
        parts: dict[str, bytes] = {}
        if self.checkpoint is not None:
            parts["checkpoint"] = self.checkpoint.encode()
        parts["README.txt"] = self.readme
        for index, (genesis, seal, envelopes) in enumerate(self.segments):
            folder = f"segments/{index:06}/"
            parts[folder + "genesis.json"] = jcs(genesis)
            if seal is not None:
                parts[folder + "seal.json"] = jcs(seal)
            parts[folder + "envelopes-000000.jsonl"] = b"".join(jcs(envelope) + b"\n" for envelope in envelopes)
        if self.proofs:
            parts["proofs/000000.jsonl"] = b"".join(jcs(line) + b"\n" for line in self.proofs)
        parts.update(self.attachments)
        return restated(self.manifest, parts, self.seed if self.is_signed else None)


def rehash(envelope: dict[str, Any], previous: bytes, seed: int) -> bytes:
    """Recomputes what follows from an envelope's content; the chain hash."""
    if envelope["payload"] is not None and envelope["payload_salt"] is not None:
        salt = bytes.fromhex(envelope["payload_salt"])
        envelope["payload_commitment"] = digest(b"\x03" + salt + jcs(envelope["payload"])).hex()
    hashed = (
        "actor_id", "attachment_refs", "claimed_time", "envelope_id", "environment_id", "event_type", "parent_ids",
        "payload_commitment", "schema_version", "session_id", "trace_id",
    )  # fmt: skip
    content = digest(jcs({name: envelope.get(name) for name in hashed}))
    recorded_at = nanoseconds(envelope["recorded_at"]) or 0
    preimage = b"\x02" + previous + struct.pack(">Qq", envelope["sequence"], recorded_at) + content
    chain = digest(preimage)
    envelope["content_hash"], envelope["chain_hash"] = content.hex(), chain.hex()
    if envelope["signature"] is not None:
        message = b"recorder signature v1: envelope\n" + content + chain
        envelope["signature"] = signature_object(seed, message)
    return chain


def checkpoint_of(origin: str, size: int, root: bytes, seed: int) -> str:
    """A checkpoint signed by the key with this seed."""
    body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public_key = key.public_key().public_bytes_raw()
    key_hash = digest(origin.encode() + b"\n" + KEY_TYPE + public_key)[:4]
    signature = base64.b64encode(key_hash + key.sign(body.encode())).decode()
    return f"{body}\n\u2014 {origin} {signature}\n"


def restated(manifest: dict[str, Any], parts: dict[str, bytes], seed: int | None) -> dict[str, bytes]:
    """All members of a bundle: the manifest as it must be for these parts, its signature, and the parts."""
    manifest["parts"] = [
        {"name": name, "sha256": digest(data).hex(), "size_bytes": len(data)} for name, data in parts.items()
    ]
    return {**named(manifest, seed), **parts}


def named(manifest: dict[str, Any], seed: int | None) -> dict[str, bytes]:
    """A manifest under the id that follows from it, and its signature."""
    manifest["bundle_id"] = bundle_id_of(manifest)
    text = jcs(manifest)
    members = {"manifest.json": text}
    if seed is not None:
        key_id, value = signed_by(seed, manifest_message(text))
        signatures = [{"keyid": key_id, "sig": base64.b64encode(value).decode()}]
        payload_type = "application/vnd.recorder.manifest+json"
        payload = base64.b64encode(text).decode()
        members["manifest.dsse.json"] = jcs({"payload": payload, "payloadType": payload_type, "signatures": signatures})
    return members
