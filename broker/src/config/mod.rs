//! What an operator sets, in TOML. `template.toml` shows and explains every key.

mod address;
mod archive;
mod policy;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use countersign_protocol::{
    capability::Text,
    name::{PrincipalId, TrustDomain},
    settings::{self, Problems, Section},
};
use thiserror::Error;

use crate::limits::SNAPSHOT_EVERY;
pub use address::{Collector, HostPort};
pub use archive::PolicyArchive;
pub use policy::WrittenPolicy;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something else than it may.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// How a broker is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The trust domain that it serves.
    pub trust_domain: TrustDomain,
    /// Where the ledger, the archive of policies and the public keys are.
    pub data_dir: PathBuf,
    /// Where the private keys are. Apart from the data: a copy of the ledger holds no key.
    pub key_dir: PathBuf,
    /// Where instances are served.
    pub listen: SocketAddr,
    /// Where newcomers are let in.
    pub enrolment_listen: SocketAddr,
    /// Where metrics and probes are answered, without TLS.
    pub metrics_listen: Option<SocketAddr>,
    /// Where spans are sent. Without it, the broker connects to nobody.
    pub otlp_endpoint: Option<Collector>,
    /// How instances reach `listen`, where that differs.
    pub advertise: Option<HostPort>,
    /// How newcomers reach `enrolment_listen`, where that differs.
    pub advertise_enrolment: Option<HostPort>,
    /// After how many entries another snapshot of the state is kept.
    pub snapshot_every: u32,
    /// What the operator allows.
    pub policy: WrittenPolicy,
}

impl Config {
    /// Reads the file. Relative directories in it are relative to where it is.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let io = |source| ConfigError::Io { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(io)?;
        let base = std::path::absolute(path).map_err(io)?;
        let base = base.parent().unwrap_or(Path::new("/"));
        Ok(Self::parse(&path.to_string_lossy(), &text, base)?)
    }

    /// Reads the text of a configuration. `file` names it in problems; relative directories are
    /// relative to `base`.
    pub fn parse(file: &str, text: &str, base: &Path) -> Result<Self, Problems> {
        settings::read(file, text, |section| Self::read(section, base))
    }

    /// A commented configuration for a new domain, with its directories in `state`, or beside it.
    pub fn template(trust_domain: &TrustDomain, admin: &PrincipalId, state: Option<&str>) -> String {
        let state = state.map(|state| format!("{}/", state.trim_end_matches('/'))).unwrap_or_default();
        include_str!("template.toml")
            .replace("@state@", &state)
            .replace("@trust_domain@", trust_domain.as_str())
            .replace("@admin@", admin.as_str())
    }

    /// The address of the first of two listeners that join tokens carry, if it was set or can be told.
    pub fn broker_address(&self, bound: Option<SocketAddr>) -> Option<Text> {
        address::told(self.advertise.as_ref(), bound.unwrap_or(self.listen))
    }

    /// The address of the enrolment listener that join tokens carry, if it was set or can be told.
    pub fn enrolment_address(&self, bound: Option<SocketAddr>) -> Option<Text> {
        address::told(self.advertise_enrolment.as_ref(), bound.unwrap_or(self.enrolment_listen))
    }

    /// Where the ledger is.
    pub fn ledger_dir(&self) -> PathBuf {
        self.data_dir.join("ledger")
    }

    /// Where the policies are kept that once decided.
    pub fn policy_dir(&self) -> PathBuf {
        self.data_dir.join("policies")
    }

    /// Where auditors find what they pin.
    pub fn public_dir(&self) -> PathBuf {
        self.data_dir.join("public")
    }

    fn read(section: &mut Section<'_, '_>, base: &Path) -> Option<Self> {
        let trust_domain: Option<TrustDomain> = section.required("trust_domain");
        let data_dir: Option<String> = section.required("data_dir");
        let key_dir: Option<String> = section.required("key_dir");
        let listen = section.required("listen");
        let enrolment_listen = section.required("enrolment_listen");
        let metrics_listen = section.optional("metrics_listen");
        let otlp_endpoint = section.optional("otlp_endpoint");
        let advertise = section.optional("advertise");
        let advertise_enrolment = section.optional("advertise_enrolment");
        let snapshot_every = section.or("snapshot_every", SNAPSHOT_EVERY);
        if snapshot_every == Some(0) {
            section.problem("snapshot_every", "it is 0", "a whole number from 1 on");
        }
        let policy = WrittenPolicy::read(section, trust_domain.as_ref());
        let (data_dir, key_dir) = (base.join(data_dir?), base.join(key_dir?));
        if key_dir.starts_with(&data_dir) {
            let wrong = "it is within data_dir, so a copy of the data would hold the keys";
            section.problem("key_dir", wrong, "a directory elsewhere");
        }
        let config = Self {
            trust_domain: trust_domain?,
            data_dir,
            key_dir,
            listen: listen?,
            enrolment_listen: enrolment_listen?,
            metrics_listen: metrics_listen?,
            otlp_endpoint: otlp_endpoint?,
            advertise: advertise?,
            advertise_enrolment: advertise_enrolment?,
            snapshot_every: snapshot_every.filter(|every| *every > 0)?,
            policy: policy?,
        };
        config.check_addresses(section).then_some(config)
    }

    fn check_addresses(&self, section: &Section<'_, '_>) -> bool {
        let mut fine = true;
        for (key, listen, advertise) in [
            ("advertise", self.listen, &self.advertise),
            ("advertise_enrolment", self.enrolment_listen, &self.advertise_enrolment),
        ] {
            if advertise.is_none() && listen.ip().is_unspecified() {
                let wrong = format!("it is missing, and nobody can connect to {}", listen.ip());
                section.problem(key, wrong, HostPort::EXPECTED);
                fine = false;
            }
        }
        if self.listen == self.enrolment_listen && self.listen.port() != 0 {
            section.problem("enrolment_listen", "it is the same as listen", "another port");
            fine = false;
        }
        fine
    }
}

#[cfg(test)]
mod tests;
