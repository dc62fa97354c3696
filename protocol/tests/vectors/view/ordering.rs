//! The decoded view of a move and the ledger that it meets.

use countersign_forge::{biscuit, wire::scan};
use countersign_protocol::{
    contract::ContractBody,
    domain::{Entry, Event},
    negotiation::Move,
    payload::Payload,
    signed::{Signed, signed_bytes},
};
use serde_json::{Value, json};

use super::{
    super::{cast, read},
    View, label, verifies,
};

impl View {
    pub(super) fn ordering(&mut self, context: &Value, input: &Value) -> Value {
        let bytes = read::base64(input, "move_b64");
        let ledger = context["ledger_b64"].as_array().unwrap().iter().map(read::base64_value);
        let ledger: Vec<Vec<u8>> = ledger.collect();
        let entries =
            ledger.iter().map(|entry| json!(format!("{} {}", kind(entry), hex::encode(cast::sha256(entry)))));
        let entries: Vec<Value> = entries.collect();
        let mut made = self.statement("Move", &bytes);
        if let Some(offer) = made["payload"].get_mut("offer") {
            self.show_offer(&bytes, &ledger, offer);
        }
        if let Some(accept) = made["payload"].get_mut("accept") {
            show_accept(&bytes, &ledger, accept);
        }
        json!({
            "time": cast::time_text(context["time_ms"].as_u64().unwrap()),
            "sender": context["sender"],
            "ledger": entries,
            "move": made,
        })
    }

    /// The contract in an offer, and who signed it and its hop.
    fn show_offer(&mut self, bytes: &[u8], ledger: &[Vec<u8>], shown: &mut Value) {
        let Some((contract, made)) = offered(bytes) else { return };
        let signature = shown["contract_signature"].as_str().unwrap().to_owned();
        shown["contract_signature"] = signer(&contract_message(&contract), &signature);
        shown["contract"] = self.decode("ContractBody", &contract);
        let body: ContractBody = Payload::from_bytes(&contract).unwrap();
        let hop = biscuit::hop_block(&body.hop_terms());
        let signature = hex::encode(made.offer.unwrap().hop_signature.as_bytes());
        let messages = tokens(ledger).map(|token| biscuit::hop_message(&hop, &last_signature(&token)));
        let signers = messages.map(|message| signer(&message, &signature));
        let signer = signers.into_iter().find(|name| *name != signature.as_str());
        shown["hop_signature"] = signer.unwrap_or_else(|| json!(signature));
    }
}

/// Who signed the contract on offer, and whether it is that one.
fn show_accept(bytes: &[u8], ledger: &[Vec<u8>], shown: &mut Value) {
    let accept: Move = Signed::from_bytes(bytes).unwrap().peek_unverified().unwrap();
    let moves = ledger.iter().filter_map(|entry| match Entry::from_bytes(entry).unwrap().event {
        Event::Moved(moved) => offered(&moved.signed_move.to_bytes()),
        _ => None,
    });
    let mut moves = moves.filter(|(_, made)| made.negotiation_id == accept.negotiation_id);
    let Some((contract, _)) = moves.next_back() else {
        panic!("an accept of nothing: {}", hex::encode(bytes))
    };
    label(&mut shown["contract"], &hex::encode(cast::sha256(&contract)), "of the offer");
    let signature = shown["contract_signature"].as_str().unwrap().to_owned();
    shown["contract_signature"] = signer(&contract_message(&contract), &signature);
}

fn offered(bytes: &[u8]) -> Option<(Vec<u8>, Move)> {
    let made: Move = Signed::from_bytes(bytes).ok()?.peek_unverified().ok()?;
    Some((made.offer.as_ref()?.contract.clone(), made))
}

fn contract_message(contract: &[u8]) -> Vec<u8> {
    signed_bytes("application/vnd.countersign.contract.v1", contract)
}

/// The name of the key that signed, or the signature.
fn signer(message: &[u8], signature: &str) -> Value {
    let bytes = hex::decode(signature).unwrap();
    let of = |name: &&&str| verifies(cast::public(name).as_bytes(), message, &bytes);
    cast::KEYS.iter().find(of).map_or_else(|| json!(signature), |name| json!(name))
}

fn kind(entry: &[u8]) -> &'static str {
    Entry::from_bytes(entry).unwrap().event.kind().name()
}

fn tokens(ledger: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> {
    ledger.iter().filter_map(|entry| match Entry::from_bytes(entry).unwrap().event {
        Event::GrantIssued(issued) => Some(issued.token),
        Event::ContractFinalized(finalized) => Some(finalized.token),
        Event::ChainRebound(rebound) => Some(rebound.token),
        _ => None,
    })
}

/// The signature of a token's last block.
fn last_signature(token: &[u8]) -> [u8; 64] {
    let (fields, _) = scan(token);
    let last = fields.iter().rfind(|field| matches!(field.number, 2 | 3)).unwrap();
    let (fields, _) = scan(last.value);
    *fields.iter().find(|field| field.number == 3).unwrap().value.first_chunk().unwrap()
}
