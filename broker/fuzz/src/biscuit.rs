//! Containers of tokens, read apart from the core and loosely, and sealed anew with real keys.

use countersign_forge::biscuit::{self, Step, hop_message};
use countersign_protocol::{
    key::{PublicKey, SigningKey},
    payload::Payload,
    token::{GrantTerms, HopTerms},
};

use crate::{keys, wire::Field};

/// The payloads of a container's blocks, the authority's first, and what seals them.
pub(crate) struct Container {
    pub(crate) root_key_id: u64,
    pub(crate) authority: Vec<u8>,
    pub(crate) hops: Vec<Hop>,
}

/// A third-party block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hop {
    pub(crate) payload: Vec<u8>,
    pub(crate) grantor: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Container {
    /// Takes the parts out of whatever has them, without being strict about anything.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let fields = Field::read_all(bytes)?;
        let authority = Field::read_all(Field::bytes(&fields, 2)?)?;
        let hops = fields.iter().filter(|field| field.number() == 3).map(|field| {
            let block = Field::read_all(field.as_bytes()?)?;
            let external = Field::read_all(Field::bytes(&block, 4)?)?;
            let key = Field::read_all(Field::bytes(&external, 2)?)?;
            Some(Hop {
                payload: Field::bytes(&block, 1)?.to_vec(),
                grantor: Field::bytes(&key, 2)?.to_vec(),
                signature: Field::bytes(&external, 1)?.to_vec(),
            })
        });
        Some(Self {
            root_key_id: fields.iter().find(|field| field.number() == 1)?.as_varint()?,
            authority: Field::bytes(&authority, 1)?.to_vec(),
            hops: hops.collect::<Option<_>>()?,
        })
    }

    /// The container that its makers would have made of these payloads: the authority signed by
    /// `root`, each hop by the holder that the block before it names, all of it linked as it must be.
    /// `None` where a holder's key is not ours.
    pub(crate) fn resealed(&self, root: &SigningKey) -> Option<Vec<u8>> {
        let grant = GrantTerms::from_bytes(terms(&self.authority)?).ok()?;
        let mut token = biscuit::Container::root(self.authority.clone(), &grant.domain, root, None);
        let mut holder = grant.holder.key;
        for Hop { payload, .. } in &self.hops {
            token = token.step(&Step::new(payload.clone(), keys::private(&holder)?));
            let terms = terms(payload).and_then(|terms| HopTerms::from_bytes(terms).ok());
            holder = terms.map_or(holder, |terms| terms.holder.key);
        }
        Some(token.bytes())
    }
}

/// Whether that key signed that hop, which follows a block with that signature. Asked of another
/// verifier than the core's.
pub(crate) fn is_signed(hop: &Hop, grantor: &PublicKey, previous: &[u8]) -> bool {
    let Ok(previous) = previous.try_into() else { return false };
    let key = ed25519_dalek::VerifyingKey::from_bytes(&grantor.to_array()).unwrap();
    let signature = ed25519_dalek::Signature::from_slice(&hop.signature);
    signature.is_ok_and(|it| key.verify_strict(&hop_message(&hop.payload, previous), &it).is_ok())
}

/// The signature at the end of each block.
pub(crate) fn seals(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let fields = Field::read_all(bytes)?;
    let blocks = fields.iter().filter(|field| matches!(field.number(), 2 | 3));
    blocks.map(|block| Some(Field::bytes(&Field::read_all(block.as_bytes()?)?, 3)?.to_vec())).collect()
}

/// Whether the container consists of the fields that it must have, each once and in order, save hops, in
/// the shortest form.
pub(crate) fn is_canonical(bytes: &[u8]) -> bool {
    let (fields, mut hops) = (Field::read_all(bytes).unwrap_or_default(), 0);
    let numbers: Vec<u64> = fields.iter().map(Field::number).collect();
    let shaped = |block: &Field| {
        hops += usize::from(block.number() == 3);
        match block.number() {
            2 => is_message(block, &[1, 2, 3], &[(2, &[1, 2])]),
            3 => is_message(block, &[1, 2, 3, 4, 5], &[(2, &[1, 2]), (4, &[1, 2])]),
            4 => is_message(block, &[1], &[]),
            _ => block.padding == [0, 0],
        }
    };
    let shapes = fields.iter().all(shaped);
    shapes && numbers == [&[1, 2][..], &vec![3; hops], &[4]].concat()
}

/// Whether a field is a message of these fields, some of which are messages of two.
fn is_message(field: &Field, numbers: &[u64], inner: &[(u64, &[u64])]) -> bool {
    let fields = field.as_bytes().and_then(Field::read_all).unwrap_or_default();
    let nested = |(number, numbers): &(u64, &[u64])| {
        fields.iter().filter(|field| field.number() == *number).all(|field| is_message(field, numbers, &[]))
    };
    let short = field.padding == [0, 0] && fields.iter().all(|field| field.padding == [0, 0]);
    short && fields.iter().map(Field::number).eq(numbers.iter().copied()) && inner.iter().all(nested)
}

/// The payload of a block's first fact.
pub(crate) fn terms(block: &[u8]) -> Option<&[u8]> {
    let mut inner = block;
    for number in [4, 1, 2, 5] {
        inner = Field::find_bytes(inner, number)?;
    }
    Some(inner)
}
