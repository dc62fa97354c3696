//! An identity that outlives its process: weaker than one that does not, and sometimes needed.

use std::{fmt, io};

use countersign_protocol::{
    capability::Text, digest::Digest, key::SigningKey, ledger::SignedCheckpoint, name::InstanceId, payload,
    payload::Payload, signed::Signed, time::Timestamp, trust::KeySet,
};
use zeroize::Zeroizing;

use crate::{
    agent::{Agent, Beginning, Inner, Options, Standing},
    bundle::Bundle,
    channel::{Identity, Svid, TlsKey},
    error::{CallerFault, Error},
    limits::EXPORT_MAX_BYTES,
};

/// What exported bytes begin with, so that they are not taken for something else.
const PREFIX: &[u8] = b"countersign identity 1\n";

/// A private key on its way in or out.
#[derive(Clone, PartialEq, Eq)]
struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

countersign_protocol::blob!(Secret);

payload! {
    /// Everything that an instance is.
    struct Exported {
        1 => instance: InstanceId,
        2 => configuration: Digest,
        /// The seed of the instance key.
        3 => key: Secret,
        /// The TLS key, as PKCS #8.
        4 => tls: Secret,
        5 => certificate: Vec<u8>,
        6 => generation: u32,
        7 => renew_at: Timestamp,
        /// A renewal that may have been sent and was not answered: only it may be sent again.
        8 => pending: Option<Signed>,
        9 => broker: Text,
        10 => pinned: Digest,
        11 => authorities: Vec<Vec<u8>>,
        12 => keys: KeySet,
        /// The newest checkpoint that was verified: the next process holds the ledger to it.
        13 => checkpoint: Option<SignedCheckpoint>,
    }
}

impl Agent {
    /// This identity as bytes, its private keys included.
    ///
    /// This gives up what the SDK otherwise guarantees: that an identity lives in the memory of one
    /// process and ends with it. Whoever reads the bytes is this instance and holds all that it
    /// holds, until its certificate ends and, by renewing, for longer. Two processes that both go on
    /// from them are found when they renew, and the instance is locked. It is for a person's command
    /// line, whose session spans many short processes; keep the bytes in a file of mode 0600, let
    /// one process at a time use it, and let [`Options::danger_keep`] replace it atomically.
    pub fn danger_export(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.inner.danger_export()
    }

    /// Goes on as an identity that was exported; see [`danger_export`](Self::danger_export) for what
    /// that costs. Must be called within a Tokio runtime.
    ///
    /// `options` must name the configuration that the identity was made with: another one is another
    /// instance.
    pub fn danger_import(bytes: &[u8], options: Options) -> Result<Self, Error> {
        let exported = read(bytes)?;
        if exported.configuration != options.configuration {
            return Err(not_an_export("it was made with another configuration"));
        }
        let seed: Zeroizing<[u8; 32]> =
            Zeroizing::new(exported.key.as_bytes().try_into().map_err(not_an_export)?);
        let tls = TlsKey::danger_from_pkcs8(exported.tls.as_bytes()).map_err(not_an_export)?;
        let svid = Svid::parse([exported.certificate.clone()]).map_err(not_an_export)?;
        if svid.not_after() <= options.clock.now() {
            return Err(CallerFault::IdentityEnded.into());
        }
        if *svid.instance() != exported.instance {
            return Err(not_an_export("its certificate names another instance"));
        }
        let identity = Identity::new(tls, svid).map_err(not_an_export)?;
        let bundle = Bundle { authorities: exported.authorities, keys: exported.keys };
        let standing = Standing {
            certificate: exported.certificate,
            generation: exported.generation,
            renew_at: exported.renew_at,
            pending: exported.pending,
        };
        let beginning = Beginning {
            key: SigningKey::from_seed(&seed),
            identity,
            standing,
            bundle,
            pinned: exported.pinned,
            address: exported.broker.as_str().to_owned(),
            checkpoint: exported.checkpoint,
            fresh: false,
        };
        Self::begin(beginning, options)
    }
}

impl Inner {
    pub(crate) fn danger_export(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let local = |why: String| Error::from(CallerFault::Local { why });
        let Standing { certificate, generation, renew_at, pending } = self.standing().clone();
        let text = |text: &str| text.parse::<Text>().map_err(|error| local(error.to_string()));
        let tls = self.identity.key().danger_to_pkcs8().map_err(|error| local(error.to_string()))?;
        let exported = Exported {
            instance: self.identity.instance().clone(),
            configuration: self.configuration,
            key: Secret(Zeroizing::new(self.key.to_seed().to_vec())),
            tls: Secret(tls),
            certificate,
            generation,
            renew_at,
            pending,
            broker: text(&self.address)?,
            pinned: self.pinned,
            authorities: self.authorities.clone(),
            keys: KeySet::clone(&self.keyring.keys()),
            checkpoint: self.view.latest().map(|(_, signed)| signed),
        };
        let payload = Zeroizing::new(exported.to_bytes());
        let bytes = Zeroizing::new([PREFIX, &payload].concat());
        // What could not be read again is worse than nothing: it replaces what can.
        if bytes.len() > EXPORT_MAX_BYTES {
            let limit = EXPORT_MAX_BYTES as u64;
            return Err(CallerFault::TooLarge { what: "the exported identity", limit }.into());
        }
        Ok(bytes)
    }

    /// Hands the identity to whoever keeps it, if someone does.
    pub(crate) fn keep(&self) -> Result<(), Error> {
        let Some(keep) = &self.keep else { return Ok(()) };
        let failed =
            |error: io::Error| CallerFault::Local { why: format!("the identity is not kept: {error}") };
        keep(&self.danger_export()?).map_err(|error| failed(error).into())
    }
}

fn read(bytes: &[u8]) -> Result<Exported, Error> {
    if bytes.len() > EXPORT_MAX_BYTES {
        return Err(not_an_export("they are too many"));
    }
    let payload =
        bytes.strip_prefix(PREFIX).ok_or_else(|| not_an_export("they begin with something else"))?;
    Exported::from_bytes(payload).map_err(not_an_export)
}

fn not_an_export(why: impl fmt::Display) -> Error {
    CallerFault::NotAnExport { why: why.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_too_many_are_not_looked_at() {
        let why = |bytes: usize| read(&vec![0; bytes]).err().unwrap().to_string();
        assert!(why(EXPORT_MAX_BYTES).contains("they begin with something else"), "the twin is read");
        assert!(why(EXPORT_MAX_BYTES + 1).contains("they are too many"));
    }
}
