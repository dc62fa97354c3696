//! The decoded view of a vector's context and input, from their bytes alone.
//!
//! What follows from other parts is shown as following from them ("valid", "derived", "of the
//! token"), so that a fault shows in one place and not in everything that was made anew around it.

mod checkpoint;
mod ordering;
mod signature;
mod token;

use countersign_forge::{biscuit, wire::scan};
use serde_json::{Value, json};

use super::{
    cast,
    grammar::{Grammar, blob},
    read,
};

/// What a vector shows; nothing but `context` and `input` is looked at.
pub(crate) fn explain(op: &str, context: &Value, input: &Value) -> Value {
    let mut view = View { grammar: Grammar::read(), form: Vec::new() };
    let mut shown = match op {
        "decode_payload" => view.payload(input),
        "verify_signature" => signature::explain(input),
        "parse_name" => input.clone(),
        "open_statement" => view.opened(input),
        "narrow" => view.narrowing(input),
        "verify_token" | "activate_token" | "use_token" => view.token_and_use(context, input),
        "order_move" => view.ordering(context, input),
        "verify_inclusion" => view.inclusion(input),
        "verify_consistency" => view.consistency(input),
        "open_checkpoint" => checkpoint::explain(context, input),
        _ => panic!("nothing explains {op}"),
    };
    if !matches!(op, "verify_signature" | "parse_name" | "open_checkpoint") {
        shown["form"] = json!(view.form);
    }
    shown
}

struct View {
    grammar: Grammar,
    /// Every departure from the grammar.
    form: Vec<String>,
}

impl View {
    fn decode(&mut self, message: &str, bytes: &[u8]) -> Value {
        self.grammar.explain(message, bytes, &mut self.form)
    }

    fn payload(&mut self, input: &Value) -> Value {
        let message = read::text(input, "type");
        json!({ "type": message, "value": self.decode(message, &read::base64(input, "payload_b64")) })
    }

    fn opened(&mut self, input: &Value) -> Value {
        let message = read::text(input, "type");
        let signers = input["signers"].as_array().unwrap().iter();
        let signers: Vec<String> = signers.map(|key| cast::key_name(&read::hex(key))).collect();
        json!({
            "expected": message,
            "signers": signers,
            "statement": self.statement(message, &read::base64(input, "statement_b64")),
        })
    }

    /// An envelope with the payload in it.
    fn statement(&mut self, message: &str, bytes: &[u8]) -> Value {
        let mut shown = self.decode("Signed", bytes);
        let (fields, _) = scan(bytes);
        let field = |number| fields.iter().find(|field| field.number == number).map_or(&[][..], |f| f.value);
        let (payload_type, payload) = (field(1), field(2));
        let signatures = fields.iter().filter(|field| field.number == 3);
        let labels: Vec<Value> =
            signatures.map(|signature| signature_label(payload_type, payload, signature.value)).collect();
        for (signature, label) in shown["signatures"].as_array_mut().unwrap().iter_mut().zip(labels) {
            signature["signature"] = label;
        }
        shown["payload"] = self.decode(message, payload);
        shown
    }

    fn narrowing(&mut self, input: &Value) -> Value {
        let [parent, child] = ["parent_b64", "child_b64"].map(|name| read::base64(input, name));
        json!({ "parent": self.decode("Rights", &parent), "child": self.decode("Rights", &child) })
    }

    fn inclusion(&mut self, input: &Value) -> Value {
        json!({
            "proof": self.decode("InclusionProof", &read::base64(input, "proof_b64")),
            "entry": blob(&read::base64(input, "entry_b64")),
            "root": input["root"],
        })
    }

    fn consistency(&mut self, input: &Value) -> Value {
        json!({
            "proof": self.decode("ConsistencyProof", &read::base64(input, "proof_b64")),
            "old_root": input["old_root"],
            "new_root": input["new_root"],
        })
    }

    fn token_and_use(&mut self, context: &Value, input: &Value) -> Value {
        let token = read::base64(input, "token_b64");
        let mut shown = json!({
            "key_set": self.decode("KeySet", &read::base64(context, "key_set_b64")),
            "token": self.token(&token),
        });
        let chain = token::chain_ids(&token).pop().unwrap_or_default();
        if input.get("activation_b64").is_some() {
            let mut activation = self.statement("Activation", &read::base64(input, "activation_b64"));
            label(&mut activation["payload"]["chain_id"], &hex::encode(chain), "of the token");
            label(&mut activation["payload"]["subject"], &token::subject(&token), "of the token");
            shown["activation"] = activation;
        }
        if input.get("proof_b64").is_some() {
            self.show_use(context, input, &hex::encode(chain), &mut shown);
        }
        shown
    }

    fn show_use(&mut self, context: &Value, input: &Value, chain: &str, shown: &mut Value) {
        let request = &input["request"];
        let arguments = read::base64(request, "arguments_b64");
        let body = read::base64(input, "body_b64");
        let mut proof = self.statement("Proof", &read::base64(input, "proof_b64"));
        let payload = &mut proof["payload"];
        label(&mut payload["chain_id"], chain, "of the token");
        for name in ["callee", "action", "resource"] {
            label(&mut payload[name], read::text(request, name), "as requested");
        }
        let digest = biscuit::tagged_hash("countersign arguments v1", &[&arguments, &body]);
        label(&mut payload["arguments"], &hex::encode(digest), "as requested");
        shown["proof"] = proof;
        shown["time"] = json!(cast::time_text(context["time_ms"].as_u64().unwrap()));
        shown["via"] = context["via"].clone();
        shown["channel"] = context["channel"].clone();
        shown["request"] = json!({
            "callee": request["callee"],
            "action": request["action"],
            "resource": request["resource"],
            "arguments": self.decode("Arguments", &arguments)["list"],
            "body": blob(&body),
        });
    }
}

/// "valid", or the signature itself.
fn signature_label(payload_type: &[u8], payload: &[u8], keyed: &[u8]) -> Value {
    let (fields, _) = scan(keyed);
    let field = |number| fields.iter().find(|field| field.number == number).map_or(&[][..], |f| f.value);
    let head = format!("DSSEv1 {} ", payload_type.len()).into_bytes();
    let message = [&head, payload_type, format!(" {} ", payload.len()).as_bytes(), payload].concat();
    verdict(field(2), &message, field(3))
}

fn verdict(key: &[u8], message: &[u8], signature: &[u8]) -> Value {
    if verifies(key, message, signature) { json!("valid") } else { json!(hex::encode(signature)) }
}

fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = key.try_into().ok().and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(key).ok());
    let signature = ed25519_dalek::Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(message, &signature).is_ok())
}

/// Names a value by where it comes from, if it does.
fn label(value: &mut Value, derived: &str, name: &str) {
    if value == derived {
        *value = json!(name);
    }
}
