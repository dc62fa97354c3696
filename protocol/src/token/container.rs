//! The Biscuit container: blocks, their signatures and the keys between them.
//!
//! Read with the same strictness as our own payloads: one encoding, ascending fields, nothing
//! unknown, sizes capped before anything is parsed (TOK-001 to TOK-004).

use crate::{
    key::Signature,
    limits::{BLOCK_MAX_BYTES, CHAIN_MAX_DEPTH, TOKEN_MAX_BYTES},
    payload::{Malformed, Reader, Writer},
};

/// Biscuit's signature version for third-party blocks.
pub(super) const THIRD_PARTY_SIGNATURE: u64 = 1;
const ED25519: u64 = 0;
/// The last field of every container: tag and length, twice, and the secret.
pub(super) const PROOF_BYTES: usize = 36;

/// A token taken apart, nothing verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    /// Which of the domain's capability keys signed; it only indexes the domain's key set.
    pub(super) root_key_id: u32,
    pub(super) authority: SealedBlock,
    pub(super) hops: Vec<HopBlock>,
    /// The private half of the last next key. It is public: see [`super::chain::next_key`].
    pub(super) next_secret: [u8; 32],
}

/// The bytes that are said to be a key. Whether they are is looked at where the key is used: nearly all of
/// them are found equal to a key that is known already.
pub(super) type KeyBytes = [u8; 32];

/// A block, the key that signs the next one, and the signature over both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedBlock {
    pub(super) payload: Vec<u8>,
    pub(super) next_key: KeyBytes,
    pub(super) signature: Signature,
}

/// A third-party block: also signed by whoever delegates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HopBlock {
    pub(super) block: SealedBlock,
    pub(super) grantor: KeyBytes,
    pub(super) grantor_signature: Signature,
}

/// Why bytes are not taken for a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRead {
    /// They depart from the encoding.
    Malformed(Malformed),
    /// They hold more hops than a chain may have; nothing after those is looked at.
    TooDeep,
}

impl From<Malformed> for NotRead {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl Container {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NotRead> {
        if bytes.len() > TOKEN_MAX_BYTES {
            return Err(Malformed::TooLong { bytes: bytes.len(), limit: TOKEN_MAX_BYTES }.into());
        }
        let mut reader = Reader::new(bytes);
        let root_key_id = reader.stated_varint(1)?.ok_or(Malformed::Missing { field: 1 })?;
        let root_key_id = u32::try_from(root_key_id).map_err(|_| Malformed::Value { field: 1 })?;
        let authority = read_authority(required(&mut reader, 2)?)?;
        let mut hops = Vec::new();
        while let Some(hop) = reader.bytes(3)? {
            if hops.len() == CHAIN_MAX_DEPTH {
                return Err(NotRead::TooDeep);
            }
            hops.push(read_hop(hop)?);
        }
        let mut proof = Reader::new(required(&mut reader, 4)?);
        let next_secret = fixed(required(&mut proof, 1)?, 1)?;
        proof.finish()?;
        reader.finish()?;
        Ok(Self { root_key_id, authority, hops, next_secret })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.stated_varint(1, u64::from(self.root_key_id));
        writer.message(2, |block| self.authority.write(block));
        self.hops.iter().for_each(|hop| hop.write(&mut writer));
        let blocks = writer.into_bytes();
        with_proof(blocks, &self.next_secret)
    }

    /// The blocks of a container with one more.
    pub(super) fn append(blocks: &[u8], hop: &HopBlock, next_secret: &KeyBytes) -> Vec<u8> {
        let mut writer = Writer::default();
        hop.write(&mut writer);
        with_proof([blocks, &writer.into_bytes()].concat(), next_secret)
    }

    /// The signature that the next hop's grantor must sign over.
    pub(super) fn last_signature(&self) -> &Signature {
        &self.hops.last().map_or(&self.authority, |hop| &hop.block).signature
    }
}

impl SealedBlock {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(1, &self.payload);
        writer.message(2, |key| write_key(key, &self.next_key));
        writer.bytes(3, self.signature.as_bytes());
    }
}

impl HopBlock {
    fn write(&self, writer: &mut Writer) {
        writer.message(3, |block| {
            self.block.write(block);
            block.message(4, |external| {
                external.bytes(1, self.grantor_signature.as_bytes());
                external.message(2, |key| write_key(key, &self.grantor));
            });
            block.stated_varint(5, THIRD_PARTY_SIGNATURE);
        });
    }
}

fn with_proof(blocks: Vec<u8>, next_secret: &KeyBytes) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(4, |proof| proof.bytes(1, next_secret));
    [blocks, writer.into_bytes()].concat()
}

fn read_authority(bytes: &[u8]) -> Result<SealedBlock, Malformed> {
    let mut reader = Reader::new(bytes);
    let block = read_block(&mut reader)?;
    reader.finish()?;
    Ok(block)
}

fn read_hop(bytes: &[u8]) -> Result<HopBlock, Malformed> {
    let mut reader = Reader::new(bytes);
    let block = read_block(&mut reader)?;
    // A first-party block has no field 4: it would not say who delegated.
    let mut external = Reader::new(required(&mut reader, 4)?);
    let grantor_signature = Signature::try_from(required(&mut external, 1)?);
    let grantor = read_key(required(&mut external, 2)?)?;
    external.finish()?;
    if reader.stated_varint(5)? != Some(THIRD_PARTY_SIGNATURE) {
        return Err(Malformed::Value { field: 5 });
    }
    reader.finish()?;
    let grantor_signature = grantor_signature.map_err(|_| Malformed::Value { field: 1 })?;
    Ok(HopBlock { block, grantor, grantor_signature })
}

fn read_block(reader: &mut Reader<'_>) -> Result<SealedBlock, Malformed> {
    let payload = required(reader, 1)?;
    if payload.len() > BLOCK_MAX_BYTES {
        return Err(Malformed::TooLong { bytes: payload.len(), limit: BLOCK_MAX_BYTES });
    }
    let next_key = read_key(required(reader, 2)?)?;
    let signature = Signature::try_from(required(reader, 3)?).map_err(|_| Malformed::Value { field: 3 })?;
    Ok(SealedBlock { payload: payload.to_vec(), next_key, signature })
}

fn read_key(bytes: &[u8]) -> Result<KeyBytes, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.stated_varint(1)? != Some(ED25519) {
        return Err(Malformed::Value { field: 1 });
    }
    let key = fixed(required(&mut reader, 2)?, 2)?;
    reader.finish()?;
    Ok(key)
}

fn write_key(writer: &mut Writer, key: &KeyBytes) {
    writer.stated_varint(1, ED25519);
    writer.bytes(2, key);
}

fn required<'a>(reader: &mut Reader<'a>, number: u32) -> Result<&'a [u8], Malformed> {
    reader.bytes(number)?.ok_or(Malformed::Missing { field: number })
}

fn fixed<const N: usize>(bytes: &[u8], field: u32) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed::Value { field })
}
