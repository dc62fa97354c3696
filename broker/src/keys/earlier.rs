//! Keys as they were: what a ledger that goes on from a backup needs of the files.

use countersign_protocol::{
    id::LogId,
    key::SigningKey,
    trust::{KeyPurpose, KeySet},
};

use super::{KeyError, KeyFiles, next_file, purpose_name, seed_file};
use crate::file;

impl KeyFiles {
    /// The keys that were in use in that set, if they are the ones that are kept under their numbers.
    pub(crate) fn in_use_then(&self, then: &KeySet) -> Result<[SigningKey; 4], KeyError> {
        let [capability, activation, checkpoint, rebind] = KeyPurpose::ALL.map(|purpose| {
            let id = then.in_use(purpose).map_or(1, |key| key.id);
            self.seed(&seed_file(purpose, id))
        });
        Ok([capability?, activation?, checkpoint?, rebind?])
    }

    /// Gives the keys that came after that set, which no ledger knows any more, names that nothing reads.
    pub(crate) fn set_aside_later(&self, then: &KeySet, log: LogId) -> Result<(), KeyError> {
        for purpose in KeyPurpose::ALL {
            let known = then.in_use(purpose).map_or(0, |key| key.id);
            let later = self.numbered(purpose).filter(|(id, _)| *id > known);
            let later: Vec<String> = later.map(|(id, _)| id.to_string()).collect();
            let next = self.0.join(next_file(purpose)).exists().then(|| "next".to_owned());
            for number in later.into_iter().chain(next) {
                let name = purpose_name(purpose);
                let from = self.0.join(format!("{name}-{number}.key"));
                let to = self.0.join(format!("{name}-{number}.before-{log}.key"));
                file::rename(&from, &to).map_err(|source| KeyError::Io { path: to, source })?;
            }
        }
        Ok(())
    }
}
