//! `countersignd` on the command line: what was asked for goes to stdout, everything else to stderr.

mod arguments;
mod logging;
mod systemd;

use std::{collections::BTreeSet, ffi::OsString, fs, io, path::Path, process::ExitCode, sync::Arc};

use clap::Parser as _;
use countersign_protocol::{
    join_token::JoinToken,
    name::{PrincipalId, TrustDomain},
    trust::KeyPurpose,
};
use countersign_store::StoreError;
use thiserror::Error;

use crate::{
    backup::{BackupError, Copied, backup},
    broker::AssemblyError,
    clock::SystemClock,
    config::{Config, ConfigError},
    doctor::doctor,
    domain::OpenError,
    file,
    init::{InitError, admin_token, init},
    keys::KeyError,
    restore::{RestoreError, Restored, restore},
    rotate::{RotateError, rotate},
    server::{self, Options, RunError},
};
use arguments::{Arguments, Command, ConfigCommand, KeyCommand};

/// Why a command failed.
#[derive(Debug, Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Rotate(#[from] RotateError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("there are problems; see above")]
    Unwell,
}

impl Failure {
    /// 2 usage, 5 tampered, 6 unavailable, 7 conflict: as the client's command has them.
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Backup(BackupError::Store(StoreError::Damaged { .. }))
            | Self::Restore(
                RestoreError::Store(StoreError::Damaged { .. })
                | RestoreError::Ledger(OpenError::NotAnEntry { .. })
                | RestoreError::Checkpoint(_),
            ) => 5,
            Self::Restore(RestoreError::NotABackup(_)) => 2,
            Self::Restore(RestoreError::Exists(_) | RestoreError::OtherKeys) => 7,
            Self::Init(InitError::Assembly(error))
            | Self::Rotate(RotateError::Assembly(error))
            | Self::Run(RunError::Assembly(error)) => code_of(error),
            Self::Init(InitError::Exists(_) | InitError::Keys(KeyError::Exists { .. })) => 7,
            Self::Init(InitError::NotAnAdmin(_) | InitError::NoAddress) => 2,
            _ => 6,
        }
    }
}

fn code_of(error: &AssemblyError) -> u8 {
    match error {
        AssemblyError::Store(StoreError::Damaged { .. })
        | AssemblyError::Ledger(OpenError::NotAnEntry { .. }) => 5,
        AssemblyError::NotInitialised(_) => 2,
        AssemblyError::WrongKey { .. } | AssemblyError::WrongDomain { .. } | AssemblyError::IsABackup(_) => 7,
        _ => 6,
    }
}

/// Runs the command that the arguments ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for and go to stdout; errors do not.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Io)
        .and_then(|runtime| runtime.block_on(execute(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("countersignd: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

async fn execute(arguments: &Arguments) -> Result<(), Failure> {
    let path = arguments.config.as_path();
    match &arguments.command {
        Command::Init { trust_domain, admin, state_dir, join_token_file } => {
            if !path.exists() {
                write_template(path, trust_domain.as_ref(), admin.as_ref(), state_dir.as_deref())?;
            }
            let config = Config::load(path)?;
            check_matches(&config, trust_domain.as_ref())?;
            let token = init(&config, Arc::new(SystemClock)).await?;
            eprintln!("made {}; public keys are in {}", config.trust_domain, config.public_dir().display());
            give(&token, join_token_file.as_deref())
        }
        Command::AdminToken { admin, join_token_file } => {
            let config = Config::load(path)?;
            let token = admin_token(&config, Arc::new(SystemClock), admin).await?;
            give(&token, join_token_file.as_deref())
        }
        Command::Run => {
            let config = Config::load(path)?;
            logging::init();
            let options = Options::until(asked_to_stop());
            let told = tokio::spawn(systemd::run(options.health.clone()));
            let outcome = server::run(config, options).await;
            told.abort();
            Ok(outcome?)
        }
        Command::Config { command: ConfigCommand::Check } => {
            let config = Config::load(path)?;
            eprintln!("{} is fine; its policy is {}", path.display(), config.policy.policy().digest);
            Ok(())
        }
        Command::Backup { directory } => {
            let copied = backup(&Config::load(path)?, directory).await?;
            let Copied { head, covered } = copied;
            eprintln!("{} entries are copied and checked; a checkpoint covers {covered}", head.size);
            println!("{}", head.root);
            Ok(())
        }
        Command::Restore { backup } => {
            let restored = restore(&Config::load(path)?, Arc::new(SystemClock), backup).await?;
            let Restored { from, keys } = restored;
            eprintln!(
                "{} entries of {} are taken over; all that could act is held up",
                from.size, from.origin
            );
            eprintln!("next: `countersignd admin-token`, `countersignd run`, and resume what should go on");
            println!("{}", keys.origin());
            Ok(())
        }
        Command::Key { command: KeyCommand::Rotate { purposes } } => {
            let config = Config::load(path)?;
            let purposes: BTreeSet<KeyPurpose> = purposes.iter().map(|it| (*it).into()).collect();
            let purposes: Vec<KeyPurpose> = purposes.into_iter().collect();
            let keys = rotate(&config, Arc::new(SystemClock), &purposes).await?;
            eprintln!("rotated; {} has the keys that auditors pin now", config.public_dir().display());
            println!("{}", keys.to_text());
            Ok(())
        }
        Command::Doctor => {
            let findings = doctor(&Config::load(path)?, Arc::new(SystemClock)).await;
            findings.iter().for_each(|finding| println!("{finding}"));
            if findings.iter().all(|finding| finding.outcome.is_ok()) { Ok(()) } else { Err(Failure::Unwell) }
        }
    }
}

/// Writes a commented configuration where there is none.
fn write_template(
    path: &Path,
    trust_domain: Option<&TrustDomain>,
    admin: Option<&PrincipalId>,
    state_dir: Option<&str>,
) -> Result<(), Failure> {
    let (Some(trust_domain), Some(admin)) = (trust_domain, admin) else {
        let missing = format!(
            "there is no {}; name a --trust-domain and an --admin, and it will be written",
            path.display()
        );
        return Err(Failure::Usage(missing));
    };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    io::Write::write_all(&mut file, Config::template(trust_domain, admin, state_dir).as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn check_matches(config: &Config, trust_domain: Option<&TrustDomain>) -> Result<(), Failure> {
    match trust_domain {
        Some(asked) if *asked != config.trust_domain => {
            Err(Failure::Usage(format!("the configuration is for {}, not {asked}", config.trust_domain)))
        }
        _ => Ok(()),
    }
}

/// Hands over a join token: to a file for its owner alone, or to stdout.
fn give(token: &JoinToken, to: Option<&Path>) -> Result<(), Failure> {
    let text = token.to_text();
    match to {
        Some(path) => {
            file::create_private(path, text.as_bytes())?;
            eprintln!("the join token of {} is in {}", token.principal, path.display());
        }
        None => {
            eprintln!("the join token of {}, for one use within an hour:", token.principal);
            println!("{}", *text);
        }
    }
    Ok(())
}

/// SIGTERM or SIGINT.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without a handler the signal ends the process by itself.
        Err(_) => std::future::pending().await,
    }
}
