//! The decoded view of a bare signature: what each rule of strictness looks at, apart from the others.

use countersign_protocol::signed::signed_bytes;
use curve25519_dalek::{
    Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{Identity as _, IsIdentity as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::super::{cast, grammar::blob, read};

pub(super) fn explain(input: &Value) -> Value {
    let (payload, key) = (read::base64(input, "payload_b64"), read::hex(&input["key"]));
    let message = signed_bytes(read::text(input, "payload_type"), &payload);
    let signature: [u8; 64] = read::hex(&input["signature"]).try_into().expect("64 bytes");
    let (r, s) = signature.split_at(32);
    let (r, s): ([u8; 32], [u8; 32]) = (r.try_into().unwrap(), s.try_into().unwrap());
    json!({
        "payload_type": input["payload_type"],
        "payload": blob(&payload),
        "key": cast::key_name(&key),
        "signature": {
            "commitment": point(&r),
            "s": if Scalar::from_canonical_bytes(s).is_some().into() { "below L" } else { "not below L" },
            "equation": equation(&key.try_into().expect("32 bytes"), &message, &r, s),
        },
    })
}

/// Whether R is a point, and of which kind.
fn point(bytes: &[u8; 32]) -> String {
    match CompressedEdwardsY(*bytes).decompress() {
        None => "no point".to_owned(),
        Some(point) if point.compress().0 != *bytes => format!("not canonical: {}", hex::encode(bytes)),
        Some(point) if point.is_small_order() => format!("of small order: {}", hex::encode(bytes)),
        Some(_) => "a point".to_owned(),
    }
}

/// `[S]B = R + [k]A` as the laxest verifier sees it: S and k modulo L, points as they decode.
fn equation(key: &[u8; 32], message: &[u8], r: &[u8; 32], s: [u8; 32]) -> &'static str {
    let decoded = |bytes: &[u8; 32]| CompressedEdwardsY(*bytes).decompress();
    let (Some(key_point), Some(commitment)) = (decoded(key), decoded(r)) else { return "has no points" };
    let hash: [u8; 64] = Sha512::digest([&r[..], key, message].concat()).into();
    let k = Scalar::from_bytes_mod_order_wide(&hash);
    let left = ED25519_BASEPOINT_POINT * Scalar::from_bytes_mod_order(s);
    let rest = left - commitment - key_point * k;
    if rest == curve25519_dalek::EdwardsPoint::identity() {
        "holds"
    } else if rest.mul_by_cofactor().is_identity() {
        "holds with the cofactor only"
    } else {
        "does not hold"
    }
}
