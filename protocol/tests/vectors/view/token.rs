//! The decoded view of a token.

use countersign_forge::{
    biscuit::{self, tagged_hash},
    ed25519,
    wire::{Raw, scan},
};
use countersign_protocol::{
    payload::Payload,
    token::{GrantTerms, HopTerms, RebindTerms},
};
use serde_json::{Value, json};

use super::{
    super::{cast, grammar},
    View, verdict, verifies,
};

/// The parts of one block, as far as they are there.
#[derive(Clone, Default)]
struct Parts<'a> {
    payload: &'a [u8],
    next_key: &'a [u8],
    signature: &'a [u8],
    grantor: &'a [u8],
    grantor_signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(block: &'a [u8]) -> Self {
        Self {
            payload: at(block, &[1]),
            next_key: at(block, &[2, 2]),
            signature: at(block, &[3]),
            grantor: at(block, &[4, 2, 2]),
            grantor_signature: at(block, &[4, 1]),
        }
    }
}

/// The first field of that number, in the first field of the number before; nothing if there is none.
fn at<'a>(bytes: &'a [u8], path: &[u64]) -> &'a [u8] {
    path.iter().fold(bytes, |bytes, number| {
        let (fields, _) = scan(bytes);
        fields.iter().find(|field| field.number == *number).map_or(&[], |field| field.value)
    })
}

fn blocks(token: &[u8]) -> Vec<Parts<'_>> {
    let (fields, _) = scan(token);
    let authority = Parts::read(at(token, &[2]));
    let hops = fields.iter().filter(|field| field.number == 3).map(|field| Parts::read(field.value));
    std::iter::once(authority).chain(hops).collect()
}

/// From the grant to the leaf.
pub(super) fn chain_ids(token: &[u8]) -> Vec<[u8; 32]> {
    let mut ids: Vec<[u8; 32]> = Vec::new();
    for block in blocks(token) {
        ids.push(match ids.last() {
            None => {
                let domain = at(terms(block.payload), &[1]);
                tagged_hash("countersign grant v1", &[domain, block.payload])
            }
            Some(parent) => tagged_hash("countersign hop v1", &[parent, block.payload, block.grantor]),
        });
    }
    ids
}

/// What an activation of the token must be about.
pub(super) fn subject(token: &[u8]) -> String {
    let blocks = blocks(token);
    let last = terms(blocks.last().unwrap().payload);
    hex::encode(if blocks.len() == 1 { at(last, &[4, 2]) } else { at(last, &[2]) })
}

/// The bytes term of a block's first fact.
fn terms(payload: &[u8]) -> &[u8] {
    at(payload, &[4, 1, 2, 5])
}

impl View {
    pub(super) fn token(&mut self, bytes: &[u8]) -> Value {
        let shape = self.decode("Container", bytes);
        let (blocks, ids) = (blocks(bytes), chain_ids(bytes));
        let mut shown = Vec::new();
        for (position, block) in blocks.iter().enumerate() {
            let next = ed25519::public(&biscuit::next_seed(&ids[position]));
            let mut view = match position {
                0 => self.authority(block),
                _ => self.hop(block, &blocks[position - 1]),
            };
            let derived = block.next_key == next;
            view["next_key"] = if derived { json!("derived") } else { json!(cast::key_name(block.next_key)) };
            for path in odd_numbers(&shape, position) {
                view[path.0] = path.1;
            }
            shown.push(view);
        }
        let secret = at(bytes, &[4, 1]);
        let of_last = <&[u8; 32]>::try_from(secret)
            .is_ok_and(|seed| blocks.last().is_some_and(|block| block.next_key == ed25519::public(seed)));
        json!({
            "root_key_id": shape["root_key_id"],
            "blocks": shown,
            "next_secret": match (of_last, at(bytes, &[4, 2])) {
                (true, _) => json!("of the last next key"),
                (false, []) => json!(hex::encode(secret)),
                (false, _) => json!("none: it is sealed"),
            },
        })
    }

    fn authority(&mut self, block: &Parts<'_>) -> Value {
        let bytes = terms(block.payload);
        let mut view = json!({ "terms": self.decode("GrantTerms", bytes) });
        if let Ok(terms) = GrantTerms::from_bytes(bytes) {
            show_changes(&biscuit::grant_block(&terms), block.payload, &mut view);
        }
        let message = [block.payload, &[0; 4], block.next_key].concat();
        let signed = |name: &&&str| verifies(cast::public(name).as_bytes(), &message, block.signature);
        let signer = cast::KEYS.iter().find(signed);
        view["signature"] = signer.map_or_else(|| json!(hex::encode(block.signature)), |name| json!(name));
        view
    }

    fn hop(&mut self, block: &Parts<'_>, before: &Parts<'_>) -> Value {
        let bytes = terms(block.payload);
        let rebind = at(block.payload, &[1]) == b"rebind";
        let kind = if rebind { "RebindTerms" } else { "HopTerms" };
        let mut view = json!({ "terms": self.decode(kind, bytes) });
        let compiled = match rebind {
            true => RebindTerms::from_bytes(bytes).map(|terms| biscuit::rebind_block(&terms)),
            false => HopTerms::from_bytes(bytes).map(|terms| biscuit::hop_block(&terms)),
        };
        if let Ok(compiled) = compiled {
            show_changes(&compiled, block.payload, &mut view);
        }
        view["grantor"] = json!(cast::key_name(block.grantor));
        let (Ok(previous), Ok(next), external @ [_, ..]) =
            (before.signature.try_into(), block.next_key.try_into(), block.grantor_signature)
        else {
            view["incomplete"] = json!(true);
            return view;
        };
        let signed_by_grantor = biscuit::hop_message(block.payload, previous);
        view["grantor_signature"] = verdict(block.grantor, &signed_by_grantor, block.grantor_signature);
        let linked = biscuit::block_message(block.payload, next, previous, external);
        view["signature"] = verdict(before.next_key, &linked, block.signature);
        view
    }
}

/// Algorithms and versions that are not the usual ones.
fn odd_numbers(shape: &Value, position: usize) -> Vec<(&'static str, Value)> {
    let block = match position {
        0 => &shape["authority"],
        _ => &shape["hops"][position - 1],
    };
    let mut odd = Vec::new();
    for (name, path, usual) in [
        ("next_key_algorithm", "/next_key/algorithm", 0),
        ("grantor_algorithm", "/external/key/algorithm", 0),
        ("signature_version", "/version", 1),
    ] {
        match block.pointer(path) {
            Some(value) if *value != usual => odd.push((name, value.clone())),
            _ => (),
        }
    }
    odd
}

/// What stands in a block beyond what its terms compile to, and what does not stand in it.
fn show_changes(compiled: &[u8], payload: &[u8], view: &mut Value) {
    let ((expected, _), (found, rest)) = (scan(compiled), scan(payload));
    let (removed, added) = unmatched(&expected, &found);
    for (name, items) in [("removed", removed), ("added", added)] {
        if !items.is_empty() {
            view[name] = json!(items);
        }
    }
    if !rest.is_empty() {
        view["trailing"] = json!(hex::encode(rest));
    }
}

/// The fields outside the longest sequence that both lists have.
fn unmatched(expected: &[Raw<'_>], found: &[Raw<'_>]) -> (Vec<String>, Vec<String>) {
    let mut longest = vec![vec![0; found.len() + 1]; expected.len() + 1];
    for (i, a) in expected.iter().enumerate().rev() {
        for (j, b) in found.iter().enumerate().rev() {
            let either = longest[i + 1][j].max(longest[i][j + 1]);
            longest[i][j] = if a.whole == b.whole { longest[i + 1][j + 1] + 1 } else { either };
        }
    }
    let (mut i, mut j, mut removed, mut added) = (0, 0, Vec::new(), Vec::new());
    while i < expected.len() || j < found.len() {
        match (expected.get(i), found.get(j)) {
            (Some(a), Some(b)) if a.whole == b.whole => (i, j) = (i + 1, j + 1),
            (Some(a), b) if b.is_none() || longest[i + 1][j] >= longest[i][j + 1] => {
                removed.push(item(a));
                i += 1;
            }
            (_, Some(b)) => {
                added.push(item(b));
                j += 1;
            }
            (_, None) => i += 1,
        }
    }
    (removed, added)
}

fn item(field: &Raw<'_>) -> String {
    let hex = || grammar::short_hex(field.value);
    match field.number {
        1 => format!("symbol {:?}", grammar::text(field.value)),
        2 if field.value.len() > 64 => format!("context of {} bytes", field.value.len()),
        2 => format!("context {:?}", grammar::text(field.value)),
        3 => format!("version {}", field.integer),
        4 => format!("fact {}", hex()),
        5 => format!("rule {}", hex()),
        6 => format!("check {}", hex()),
        7 => format!("scope {}", hex()),
        8 => format!("public key {}", hex()),
        other => format!("field {other} {}", hex()),
    }
}
