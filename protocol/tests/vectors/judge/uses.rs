//! Tokens, their activations and uses, and moves over a ledger.

use countersign_protocol::{
    capability::{Arguments, Request},
    digest::{Digest, SpkiHash},
    domain::{Actor, Context, Entry, Policy, State},
    key::SigningKey,
    name::{InstanceId, TrustDomain},
    payload::Payload,
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::{Activation, ActiveToken, Presentation, Token, UnverifiedToken, Via},
    trust::KeySet,
};
use serde_json::{Value, json};

use super::{super::read, Answer, No, payload};

fn keys(context: &Value) -> KeySet {
    KeySet::from_bytes(&read::base64(context, "key_set_b64")).unwrap()
}

fn verified(context: &Value, input: &Value) -> Result<Token, No> {
    Ok(UnverifiedToken::from_bytes(read::base64(input, "token_b64")).verify(&keys(context))?)
}

pub(super) fn verify_token(context: &Value, input: &Value) -> Answer {
    let token = verified(context, input)?;
    let chain: Vec<String> = token.links().map(|link| link.chain_id.to_string()).collect();
    Ok(Some(json!({ "chain": chain, "holder": token.leaf().holder.instance.as_str() })))
}

pub(super) fn activate_token(context: &Value, input: &Value) -> Result<ActiveToken, No> {
    let token = verified(context, input)?;
    let signed: Signed = payload(&read::base64(input, "activation_b64"))?;
    let activation = Activation::open(&signed, &keys(context))?;
    Ok(ActiveToken::new(token, activation)?)
}

pub(super) fn use_token(context: &Value, input: &Value) -> Answer {
    let active = activate_token(context, input)?;
    let proof: Signed = payload(&read::base64(input, "proof_b64"))?;
    let request = request(&input["request"])?;
    let presented = Presentation { proof: &proof, request: &request, body: &read::base64(input, "body_b64") };
    let permit = active.permit(&presented, time(context))?;
    let via = match read::text(context, "via") {
        "broker" => Via::Broker,
        "direct" => Via::Direct,
        "stream" => Via::Stream,
        other => panic!("no way is called {other}"),
    };
    permit.check_channel(via, read::text(context, "channel").parse::<SpkiHash>().unwrap())?;
    Ok(None)
}

fn request(input: &Value) -> Result<Request, No> {
    Ok(Request {
        callee: read::text(input, "callee").parse().unwrap(),
        action: read::text(input, "action").parse().unwrap(),
        resource: read::text(input, "resource").parse().unwrap(),
        arguments: payload::<Arguments>(&read::base64(input, "arguments_b64"))?,
    })
}

fn time(context: &Value) -> Timestamp {
    Timestamp::new(context["time_ms"].as_u64().unwrap()).unwrap()
}

/// Replays the ledger, then decides.
pub(super) fn order_move(context: &Value, input: &Value) -> Answer {
    let ledger = context["ledger_b64"].as_array().unwrap().iter().map(read::base64_value);
    let state =
        ledger.fold(State::default(), |state, entry| state.evolve(&Entry::from_bytes(&entry).unwrap()));
    let actor: InstanceId = read::text(context, "sender").parse().unwrap();
    let spki = state.instance(&actor).unwrap().statement.spki;
    let signed: Signed = payload(&read::base64(input, "move_b64"))?;
    let domain: TrustDomain = state.keys().unwrap().domain().clone();
    // Only a grant needs the key, and only a grant or an admin the policy.
    let key = SigningKey::from_seed(&[0; 32]);
    let policy = Policy {
        admins: Vec::new(),
        grant_rules: Vec::new(),
        svid_lifetime: Lifetime::from_millis(300_000),
        human_svid_lifetime: Lifetime::from_millis(300_000),
        digest: Digest::of(b"no policy"),
    };
    let decided = Context {
        now: time(context),
        policy: &policy,
        capability_key: (1, &key),
        rebind_key: &key,
        domain: &domain,
    };
    let events = state.decide_move(&decided, &Actor { instance: actor, spki }, &signed)?;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind().name()).collect();
    Ok(Some(json!({ "events": kinds })))
}
