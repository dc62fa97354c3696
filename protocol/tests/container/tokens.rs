//! Tokens: honest ones, those of the vectors, and what can be linked by hand.

use std::{collections::BTreeSet, fs};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_forge::{
    biscuit::{Block, Container, Step, hop_block, next_seed},
    domain, domain_key,
    ed25519::{plus_order, public, sign_with_nonce},
    grant_terms, hop_terms, instance_key, keys,
};
use countersign_protocol::{payload::Payload as _, trust::KeySet};
use serde_json::Value;

/// A token, and the keys that its reader has.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) token: Vec<u8>,
    pub(crate) keys: KeySet,
}

impl Case {
    fn new(name: &str, container: &Container) -> Self {
        Self { name: name.into(), token: container.bytes(), keys: keys() }
    }

    pub(crate) fn flipped(&self, bit: usize) -> Self {
        let mut token = self.token.clone();
        token[bit / 8] ^= 1 << (bit % 8);
        Self { name: format!("{}, bit {bit}", self.name), token, keys: self.keys.clone() }
    }
}

const HOLDERS: [&str; 4] = ["planner", "researcher", "fetcher", "reader"];

fn chain(hops: usize) -> Container {
    let grant = Container::grant(&grant_terms(), &domain_key(201));
    (1..=hops).fold(grant, |chain, hop| {
        chain.hop(&hop_terms(HOLDERS[hop], hop as u8), &instance_key(HOLDERS[hop - 1]))
    })
}

pub(crate) fn honest(hops: usize) -> Case {
    Case::new(&format!("honest, {hops} hops"), &chain(hops))
}

/// Every token of the frozen vectors, under the keys of its vector.
pub(crate) fn vectors() -> Vec<Case> {
    let folder = format!("{}/../conformance/vectors", env!("CARGO_MANIFEST_DIR"));
    let files = ["token", "activation", "proof"].into_iter().flat_map(|kind| {
        fs::read_dir(format!("{folder}/{kind}")).unwrap().map(|entry| entry.unwrap().path())
    });
    let mut seen = BTreeSet::new();
    let cases = files.filter_map(|file| {
        let vector: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let bytes = |part: &str, name: &str| STANDARD.decode(vector[part][name].as_str()?).ok();
        let (token, keys) = (bytes("input", "token_b64")?, bytes("context", "key_set_b64")?);
        let keys = KeySet::from_bytes(&keys).unwrap();
        let name = vector["id"].as_str().unwrap().to_owned();
        seen.insert((token.clone(), keys.to_bytes())).then_some(Case { name, token, keys })
    });
    let cases: Vec<Case> = cases.collect();
    assert!(cases.len() > 60, "{} vectors", cases.len());
    cases
}

/// Chains whose links are not as they should be, in one way each, for every place in them.
pub(crate) fn hostile() -> Vec<Case> {
    let mut cases = Vec::new();
    for hops in 0..=3 {
        let honest = chain(hops);
        let mut add = |what: &str, change: &dyn Fn(&mut Container)| {
            let mut changed = honest.clone();
            change(&mut changed);
            cases.push(Case::new(&format!("{what}, {hops} hops"), &changed));
        };
        add("as it is", &|_| ());
        add("another secret", &|chain| chain.next_secret = [7; 32]);
        add("another number", &|chain| chain.root_key_id = 2);
        add("authority beyond the order", &|chain| beyond(&mut chain.authority));
        add("authority's next key chosen", &|chain| {
            *chain =
                Container::root(chain.authority.payload.clone(), &domain(), &domain_key(201), Some([7; 32]));
        });
        for place in 0..hops {
            add("link beyond the order", &|chain| beyond(&mut chain.hops[place].block));
            add("grantor beyond the order", &|chain| {
                let hop = &mut chain.hops[place];
                hop.grantor_signature = plus_order(hop.grantor_signature);
            });
            add("link by somebody", &|chain| chain.hops[place].block.signature = [0; 64]);
            add("hop twice", &|chain| chain.hops.insert(place, chain.hops[place].clone()));
            add("hop dropped", &|chain| drop(chain.hops.remove(place)));
            add("next key of another chain", &|chain| {
                chain.hops[place].block.next_key = public(&next_seed(&[9; 32]));
            });
            add("grantor that is no key", &|chain| chain.hops[place].grantor = [0xff; 32]);
            add("next key that is no key", &|chain| chain.hops[place].block.next_key = [0xff; 32]);
            add("grantor of small order", &|chain| {
                (chain.hops[place].grantor, chain.hops[place].grantor_signature) = ([0; 32], [0; 64]);
            });
            for next in 0..hops {
                add("hops swapped", &|chain| chain.hops.swap(place, next));
            }
        }
        cases.push(Case::new(&format!("a last hop, {hops} hops"), &honest.clone().step(&stranger(None))));
        cases.push(Case::new(
            &format!("a key of one's own, {hops} hops"),
            &honest.clone().step(&stranger(Some([5; 32]))),
        ));
        cases.push(Case::new(&format!("a second nonce, {hops} hops"), &second_nonce(honest.clone())));
        if hops > 0 {
            cases.push(Case::new(&format!("sealed anew, {hops} hops"), &honest.sealed_anew()));
        }
    }
    cases
}

fn beyond(block: &mut Block) {
    block.signature = plus_order(block.signature);
}

/// A hop of somebody who holds nothing.
fn stranger(next: Option<[u8; 32]>) -> Step {
    let step = Step::new(hop_block(&hop_terms("fetcher", 4)), &instance_key("mallory"));
    Step { next, ..step }
}

/// The grant signed with a nonce that no honest signer takes.
fn second_nonce(mut chain: Container) -> Container {
    let Block { payload, next_key, .. } = &chain.authority;
    let message = countersign_forge::biscuit::authority_message(payload, next_key);
    chain.authority.signature = sign_with_nonce(&domain_key(201).to_seed(), &message, 7);
    chain
}
