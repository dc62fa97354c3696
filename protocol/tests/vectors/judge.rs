//! The core's own answer to a vector, from the vector's context and input alone.

mod faults;
mod names;
mod uses;

use countersign_protocol::{
    capability::{Arguments, Budget, Capability, Rights},
    contract::{ChangeRequest, ContractBody},
    extension::Extensions,
    grant::GrantRequest,
    key::{PublicKey, Signature},
    ledger::{Checkpoint, ConsistencyProof, InclusionProof, NoteVerifier, SignedCheckpoint, leaf_hash},
    negotiation::{Move, Offer},
    payload::Payload,
    refusal::Refusal,
    revocation::RevokeRequest,
    session::{SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult},
    signed::{Signed, Statement, verify_detached},
    stream::{StreamAccount, StreamHead},
    token::{Activation, Proof},
    trust::KeySet,
};
use serde_json::{Value, json};

pub(crate) use faults::{No, stands_for};

use super::{read, vector::Vector};

/// What is computed, or why not.
pub(crate) type Answer = Result<Option<Value>, No>;

/// Answers with the core.
pub(crate) fn judge(vector: &Vector) -> Answer {
    let (context, input) = (&vector.context, &vector.input);
    match vector.op.as_str() {
        "decode_payload" => decode(read::text(input, "type"), &read::base64(input, "payload_b64")),
        "verify_signature" => verify_signature(input),
        "open_statement" => open_statement(input),
        "parse_name" => names::parse(read::text(input, "kind"), read::text(input, "text")),
        "narrow" => narrow(input),
        "verify_token" => uses::verify_token(context, input),
        "activate_token" => uses::activate_token(context, input).map(|_| None),
        "use_token" => uses::use_token(context, input),
        "order_move" => uses::order_move(context, input),
        "verify_inclusion" => verify_inclusion(input),
        "verify_consistency" => verify_consistency(input),
        "open_checkpoint" => open_checkpoint(context, input),
        other => panic!("nothing judges {other}"),
    }
}

fn payload<T: Payload>(bytes: &[u8]) -> Result<T, No> {
    Ok(T::from_bytes(bytes)?)
}

/// A payload that decodes must encode to the bytes that it came from.
fn decode(message: &str, bytes: &[u8]) -> Answer {
    let again = match message {
        "Rights" => payload::<Rights>(bytes)?.to_bytes(),
        "Capability" => payload::<Capability>(bytes)?.to_bytes(),
        "Budget" => payload::<Budget>(bytes)?.to_bytes(),
        "Arguments" => payload::<Arguments>(bytes)?.to_bytes(),
        "Extensions" => payload::<Extensions>(bytes)?.to_bytes(),
        "GrantRequest" => payload::<GrantRequest>(bytes)?.to_bytes(),
        "RevokeRequest" => payload::<RevokeRequest>(bytes)?.to_bytes(),
        "ChangeRequest" => payload::<ChangeRequest>(bytes)?.to_bytes(),
        "SessionOpening" => payload::<SessionOpening>(bytes)?.to_bytes(),
        "SessionAnswer" => payload::<SessionAnswer>(bytes)?.to_bytes(),
        "SessionHead" => payload::<SessionHead>(bytes)?.to_bytes(),
        "SessionRequest" => payload::<SessionRequest>(bytes)?.to_bytes(),
        "SessionResult" => payload::<SessionResult>(bytes)?.to_bytes(),
        "StreamHead" => payload::<StreamHead>(bytes)?.to_bytes(),
        "StreamAccount" => payload::<StreamAccount>(bytes)?.to_bytes(),
        "Activation" => payload::<Activation>(bytes)?.to_bytes(),
        "KeySet" => payload::<KeySet>(bytes)?.to_bytes(),
        "Checkpoint" => payload::<Checkpoint>(bytes)?.to_bytes(),
        "InclusionProof" => payload::<InclusionProof>(bytes)?.to_bytes(),
        "Proof" => payload::<Proof>(bytes)?.to_bytes(),
        "Offer" => payload::<Offer>(bytes)?.to_bytes(),
        "Move" => payload::<Move>(bytes)?.to_bytes(),
        other => panic!("nothing decodes {other}"),
    };
    assert_eq!(again, bytes, "a second encoding of {message}");
    Ok(None)
}

fn verify_signature(input: &Value) -> Answer {
    let bad = || No::reason("SIGNATURE_INVALID", &["CONV-102", "CONV-020"]);
    let key = PublicKey::try_from(read::hex(&input["key"]).as_slice()).map_err(|_| bad())?;
    let signature = Signature::try_from(read::hex(&input["signature"]).as_slice()).map_err(|_| bad())?;
    let message = read::base64(input, "payload_b64");
    verify_detached(read::text(input, "payload_type"), &message, &key, &signature).map_err(|_| bad())?;
    Ok(None)
}

fn open_statement(input: &Value) -> Answer {
    let signed: Signed = payload(&read::base64(input, "statement_b64"))?;
    let signers = input["signers"].as_array().unwrap().iter();
    let signers: Vec<PublicKey> =
        signers.map(|key| PublicKey::try_from(read::hex(key).as_slice()).unwrap()).collect();
    fn open<T: Statement>(signed: &Signed, signers: &[PublicKey]) -> Answer {
        signed.open::<T>(signers)?;
        Ok(Some(json!({ "digest": signed.digest().to_string() })))
    }
    match read::text(input, "type") {
        "GrantRequest" => open::<GrantRequest>(&signed, &signers),
        "ContractBody" => open::<ContractBody>(&signed, &signers),
        other => panic!("nothing opens {other}"),
    }
}

fn narrow(input: &Value) -> Answer {
    let parent: Rights = payload(&read::base64(input, "parent_b64"))?;
    let child: Rights = payload(&read::base64(input, "child_b64"))?;
    parent.first_widening(&child).map_or(Ok(None), |widening| Err(widening.into()))
}

fn verify_inclusion(input: &Value) -> Answer {
    let proof: InclusionProof = payload(&read::base64(input, "proof_b64"))?;
    let root = read::text(input, "root").parse().unwrap();
    proof.verify(leaf_hash(&read::base64(input, "entry_b64")), root).map_err(No::inclusion)?;
    Ok(None)
}

fn verify_consistency(input: &Value) -> Answer {
    let proof: ConsistencyProof = payload(&read::base64(input, "proof_b64"))?;
    let [old, new] = ["old_root", "new_root"].map(|root| read::text(input, root).parse().unwrap());
    proof.verify(old, new).map_err(No::consistency)?;
    Ok(None)
}

fn open_checkpoint(context: &Value, input: &Value) -> Answer {
    let verifier: NoteVerifier = read::text(context, "vkey").parse()?;
    let signed = SignedCheckpoint::try_from(read::base64(input, "note_b64").as_slice())?;
    let opened = signed.open(&verifier)?;
    let (origin, size, root) = (opened.origin.as_str(), opened.size.get(), opened.root.to_string());
    Ok(Some(json!({ "origin": origin, "size": size, "root": root })))
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::reason(refusal.reason().name(), &[refusal.rule()])
    }
}
