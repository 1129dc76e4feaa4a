"""Every vector that concerns the format, but for whole bundles."""

import hashlib
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from paths import vectors

from recorder_client.verify import (
    checkpoint,
    ed25519,
    envelope,
    form,
    identifier,
    json_text,
    log_proof,
    manifest,
    merkle,
    segment,
    selector,
    signature,
    time,
)
from recorder_client.verify import rotation as rotations
from recorder_client.verify.number import canonical_number


def hash_of(position: int) -> bytes:
    return hashlib.sha256(position.to_bytes(8, "big")).digest()


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def name_of(case: dict[str, Any]) -> str:
    return str(case.get("name", ""))


def test_accepted_json_has_its_canonical_text() -> None:
    for case in vectors("json/canonical.json")["cases"]:
        text, expected = case["input"].encode(), case["output"]
        value = json_text.parse(text, json_text.PAYLOAD_LIMITS, canonical=False)
        assert json_text.canonical_text(value) == expected, case["name"]
        again = json_text.parse(expected.encode(), json_text.PAYLOAD_LIMITS, canonical=True)
        assert json_text.canonical_text(again) == expected, case["name"]
        if case["input"] != expected:
            with pytest.raises(json_text.NotCanonicalError):
                json_text.parse(text, json_text.PAYLOAD_LIMITS, canonical=True)


def test_doubles_print_as_the_rfc_prints_them() -> None:
    for case in vectors("json/canonical.json")["numbers"]:
        (double,) = struct.unpack(">d", bytes.fromhex(case["ieee754"]))
        assert canonical_number(double) == case["output"]


@pytest.mark.parametrize("case", vectors("json/refused.json")["cases"], ids=name_of)
def test_json_is_refused_with_its_code_at_its_offset(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["input_hex"]) if "input_hex" in case else case["input"].encode()
    limits = {"input_bytes_max": 4 << 20, "depth_max": 64, "nodes_max": 100_000, **case.get("limits", {})}
    with pytest.raises(json_text.RefusedError) as refused:
        json_text.parse(data, json_text.Limits(**limits), canonical=False)
    assert (refused.value.code, refused.value.offset) == (case["code"], case["offset"])


def test_identifiers_are_told_from_what_is_none() -> None:
    rules: dict[str, Callable[[str], bool]] = {
        "actor_id": identifier.is_name,
        "adapter_id": partial(identifier.is_name, characters_max=identifier.ADAPTER_NAME_MAX),
        "bundle_id": identifier.is_uuid7,
        "content_type": identifier.is_media_type,
        "envelope_id": identifier.is_uuid7,
        "event_type": identifier.is_event_type,
    }
    for case in vectors("envelopes/identifiers.json")["cases"]:
        assert rules[case["kind"]](case["text"]) == (case["refused"] is None), case


def test_times_are_told_from_what_is_none() -> None:
    for case in vectors("envelopes/times.json")["cases"]:
        assert time.is_time(case["text"]) == case["is_canonical"], case
        assert time.canonical_time(case["text"]) == case["canonical"], case
        if case["recorded_at_hex"] is not None:
            nanoseconds = int(case["recorded_at_hex"], 16)
            assert time.nanoseconds(case["canonical"]) == nanoseconds
            assert time.spelled(nanoseconds) == case["canonical"]
        elif case["canonical"] is not None:
            assert not time.is_recorder_time(case["canonical"]), case


def test_sealed_lines_have_their_hashes() -> None:
    for case in vectors("envelopes/sealed.json")["cases"]:
        read = envelope.read_line(case["line"].encode())
        assert read.computed_content_hash.hex() == read.stated_content_hash.hex() == case["content_hash"]
        assert read.computed_commitment in (None, read.stated_commitment)
        assert read.follows(bytes.fromhex(case["previous"]))
        assert not read.follows(bytes(32))


@pytest.mark.parametrize("case", vectors("envelopes/refused-lines.json")["cases"], ids=name_of)
def test_lines_that_break_a_rule_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(envelope.LineError):
        envelope.read_line(case["line"].encode())


def test_roots_are_those_of_their_leaves() -> None:
    roots = {case["tree_size"]: case["root"] for case in vectors("merkle/roots.json")["roots"]}
    log = merkle.Log()
    for size in range(max(roots) + 1):
        if size in roots:
            assert log.root().hex() == roots[size], size
        log.append(hash_of(size))


def test_leaves_and_nodes_are_those_of_the_vectors() -> None:
    for case in vectors("merkle/roots.json")["leaves"]:
        assert merkle.leaf(bytes.fromhex(case["chain_hash"])).hex() == case["leaf_hash"]
    for case in vectors("merkle/roots.json")["nodes"]:
        assert merkle.node(*unhex([case["left"], case["right"]])).hex() == case["node"]


@pytest.mark.parametrize("case", vectors("merkle/inclusion.json")["cases"], ids=name_of)
def test_inclusion_paths_lead_to_the_root_or_not(case: dict[str, Any]) -> None:
    leaf = merkle.leaf(bytes.fromhex(case["chain_hash"]))
    root = merkle.root_from_path(leaf, case["index"], case["tree_size"], unhex(case["path"]))
    assert (root == bytes.fromhex(case["root"])) == case["valid"]


@pytest.mark.parametrize("case", vectors("merkle/consistency.json")["cases"], ids=name_of)
def test_consistency_paths_show_growth_or_not(case: dict[str, Any]) -> None:
    old, new = unhex([case["old_root"], case["new_root"]])
    found = merkle.is_extension(case["old_size"], old, case["new_size"], new, unhex(case["path"]))
    assert found == case["valid"]


@pytest.mark.parametrize("case", vectors("signatures/ed25519-edge-cases.json")["cases"], ids=name_of)
def test_signatures_hold_by_the_strict_rule_only(case: dict[str, Any]) -> None:
    public_key, value = unhex([case["public_key"], case["signature"]])
    assert ed25519.is_valid(public_key, value, case["message"].encode()) == case["valid"]


def test_keys_are_told_from_what_is_none() -> None:
    for case in vectors("signatures/public-keys.json")["cases"]:
        try:
            found = ed25519.is_strict_point(form.hash_bytes(case["public_key"], "public_key"))
        except form.FormError:
            found = False
        assert found == (case["result"] == "valid"), case


def message_of(case: dict[str, Any]) -> bytes:
    match case["kind"]:
        case "envelope":
            return signature.envelope_message(*unhex([case["content_hash"], case["chain_hash"]]))
        case "seal":
            return signature.seal_message(bytes.fromhex(case["seal_hash"]))
        case "rotation":
            return signature.rotation_message(case["members"].encode())
        case _:
            return signature.manifest_message(case["manifest"].encode())


def test_each_kind_of_signature_signs_its_message() -> None:
    found = vectors("signatures/messages.json")
    public_key = bytes.fromhex(found["key"]["public_key"])
    assert signature.key_id_of(public_key) == found["key"]["key_id"]
    for case in found["cases"]:
        assert message_of(case).hex() == case["message"]
        if "signature" in case and isinstance(case["signature"], dict):
            read = signature.read_signature(case["signature"])
            assert read.holds(public_key, bytes.fromhex(case["message"]))
        if "dsse" in case:
            value = json_text.parse(case["dsse"].encode(), json_text.Limits(1 << 20), canonical=True)
            (read,) = signature.read_dsse(value, case["manifest"].encode())
            assert read.holds(public_key, bytes.fromhex(case["message"]))


@pytest.mark.parametrize("case", vectors("signatures/rotations.json")["cases"])
def test_rotations_hold_or_not(case: dict[str, Any]) -> None:
    old_key = bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c")
    try:
        rotation = rotations.read_rotation(case["event_type"], case["payload"])
    except form.FormError:
        assert case["result"] not in ("valid", "old_key_refuses")
        return
    holds = rotation.is_break_glass or rotation.is_vouched_by_old(old_key)
    assert case["result"] == ("valid" if holds else "old_key_refuses")
    assert case.get("members", rotation.members.decode()) == rotation.members.decode()


@pytest.mark.parametrize("case", vectors("checkpoints/checkpoints.json")["cases"], ids=name_of)
def test_checkpoints_hold_or_not(case: dict[str, Any]) -> None:
    public_key = bytes.fromhex(case["public_key"])
    try:
        found = checkpoint.read_checkpoint(case["note"].encode())
    except form.FormError:
        assert case["result"] == "malformed"
        return
    if not found.is_by(public_key):
        assert case["result"] == "not_signed"
        return
    assert case["result"] == ("valid" if found.holds(public_key) else "bad_signature")
    if case["result"] == "valid":
        assert (found.origin, found.tree_size, found.root.hex()) == (case["origin"], case["tree_size"], case["root"])


@pytest.mark.parametrize("case", vectors("checkpoints/cosignatures.json")["cases"], ids=name_of)
def test_cosignatures_hold_or_not(case: dict[str, Any]) -> None:
    note = checkpoint.read_checkpoint(case["note"].encode())
    try:
        at = checkpoint.cosigned_at(note, case["witness_name"], bytes.fromhex(case["witness_public_key"]))
    except form.FormError:
        assert case["result"] == "bad_signature"
        return
    assert case["result"] == ("not_signed" if at is None else "valid")
    assert at == case.get("timestamp")


def test_origins_are_encoded() -> None:
    for case in vectors("checkpoints/origins.json")["cases"]:
        assert checkpoint.origin_of(case["log_name"], case["tenant_id"], case["recorder_id"]) == case["origin"]


def test_geneses_and_seals_have_their_hashes() -> None:
    for case in vectors("segments/geneses.json")["cases"]:
        assert segment.read_genesis(case["genesis"].encode()).hash.hex() == case["genesis_hash"]
    for case in vectors("segments/seals.json")["cases"]:
        seal = segment.read_seal(case["part"].encode())
        assert seal.hash.hex() == case["seal_hash"]
        assert seal.signature is not None
        assert seal.signature.holds(bytes.fromhex(case["public_key"]), signature.seal_message(seal.hash))


@pytest.mark.parametrize("case", vectors("segments/refused.json")["cases"], ids=name_of)
def test_geneses_and_seals_that_break_a_rule_are_refused(case: dict[str, Any]) -> None:
    read = segment.read_genesis if case["part"] == "genesis.json" else segment.read_seal
    with pytest.raises(form.FormError):
        read(case["text"].encode())


def test_manifests_have_their_ids() -> None:
    for case in vectors("manifests/manifests.json")["cases"]:
        assert manifest.read_manifest(case["manifest"].encode(), 1 << 26).bundle_id == case["bundle_id"]


@pytest.mark.parametrize("case", vectors("manifests/refused.json")["cases"], ids=name_of)
def test_manifests_that_break_a_rule_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(manifest.ManifestError):
        manifest.read_manifest(case["manifest"].encode(), 1 << 26)


@pytest.mark.parametrize("case", vectors("selectors/selectors.json")["cases"])
def test_selectors_have_their_canonical_form_or_are_refused(case: dict[str, Any]) -> None:
    try:
        value = json_text.parse(case["selector"].encode(), selector.LIMITS, canonical=False)
        found = json_text.canonical_text(selector.read_selector(value))
    except (json_text.RefusedError, form.FormError):
        found = None
    assert found == case["canonical"]


PROOF_KEY = bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c")


@pytest.mark.parametrize("case", vectors("proofs/inclusion.json")["cases"], ids=name_of)
def test_proofs_of_inclusion_hold_or_not(case: dict[str, Any]) -> None:
    try:
        proof = log_proof.read_inclusion_proof(case["proof"].encode())
    except form.FormError:
        assert case["result"] == "malformed"
        return
    except log_proof.LinkError:
        assert case["result"] == "no_link"
        return
    if not proof.checkpoint.holds(PROOF_KEY):
        assert case["result"] == "bad_signature"
        return
    assert case["result"] == ("valid" if proof.holds() else "not_included")


@pytest.mark.parametrize("case", vectors("proofs/consistency.json")["cases"], ids=name_of)
def test_proofs_of_growth_hold_or_not(case: dict[str, Any]) -> None:
    try:
        proof = log_proof.read_consistency_proof(case["proof"].encode())
    except form.FormError:
        assert case["result"] == "malformed"
        return
    if not proof.checkpoint.holds(PROOF_KEY):
        assert case["result"] == "bad_signature"
        return
    assert case["result"] == ("valid" if proof.holds(bytes.fromhex(case["old_root"])) else "not_consistent")
