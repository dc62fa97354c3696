//! `countersign join`

use clap::Args;
use countersign::{Agent, CallerFault};
use countersign_protocol::{join_token::JoinToken, limits::JOIN_TOKEN_MAX_BYTES, name::PrincipalKind};
use serde::Serialize;

use crate::{
    context::Context,
    exit::Exit,
    failure::Failure,
    input::Source,
    session::{Lock, Session, SessionFile, options},
    table::Page,
    terminal::View,
};

/// Join a trust domain as a person, with a join token from one of its admins.
///
/// The token is read from a file or from standard input, never from the command line, where other
/// users of this machine could see it.
///
/// The keys of your session are kept in a file of mode 0600, because each command is a process of its
/// own: whoever can read that file can act as you until the session's certificate ends. Every command
/// renews the certificate when it is past half of its life; if none does, the session ends with it.
/// Agents and services do not join with this program: they keep their keys in memory, with the SDK.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The file with the join token; - is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    token: Source,
    /// Give up the session that there is in this trust domain, whose instance is lost with its keys.
    /// One that has ended is replaced without being asked.
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct Joined {
    trust_domain: String,
    instance: String,
    key: String,
    session: String,
}

impl Join {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let token = self.read_token(context)?;
        let kind = token.principal.kind();
        if kind != PrincipalKind::Human {
            return Err(Failure::usage(
                format!("{} was not joined", token.principal),
                "It is not a person, and a program keeps its keys in memory, not in a file.",
                "Give the join token to the program itself, which joins with the SDK.",
            ));
        }
        let file = context.home()?.session_of(&token.domain);
        let lock = file.lock()?;
        if !self.replace && lives(&file, &lock)? {
            return Err(Failure::new(
                Exit::Conflict,
                format!("{} was not joined", token.domain),
                "There is a session already.",
                "Use it, or give it up with --replace; the join token is still unused.",
            ));
        }
        let agent = Agent::join(&token, options(&file)).await;
        let agent =
            agent.map_err(|error| Failure::sdk(format!("{} was not joined", token.domain), &error))?;
        let session = Session::begin(agent, file, lock);
        let joined = Joined {
            trust_domain: token.domain.to_string(),
            instance: session.agent().instance().to_string(),
            key: session.agent().public_key().to_string(),
            session: session.file().path().display().to_string(),
        };
        session.close()?;
        context.terminal.say(&format!(
            "The keys of this session lie in {}: whoever can read it can act as you.",
            joined.session
        ));
        context.terminal.show(&joined)
    }

    fn read_token(&self, context: &mut Context) -> Result<JoinToken, Failure> {
        let bytes = self.token.read_secret("the join token", JOIN_TOKEN_MAX_BYTES, &mut context.terminal)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        // Editors and `echo` end a line; anything else beside the token is a fault.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        text.parse().map_err(|error| {
            let why = format!("It is {error}.");
            Failure::usage(
                "The join token was not understood",
                why,
                "Copy it again, or ask an admin for another one.",
            )
        })
    }
}

/// Whether there is a session that can still be used, or that cannot be understood.
fn lives(file: &SessionFile, lock: &Lock) -> Result<bool, Failure> {
    let Some(kept) = file.read(lock)? else { return Ok(false) };
    let ended = matches!(
        Agent::danger_import(&kept, options(file)),
        Err(countersign::Error::Caller(CallerFault::IdentityEnded))
    );
    Ok(!ended)
}

impl View for Joined {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("joined", self.trust_domain.clone()),
            ("as", self.instance.clone()),
            ("key", self.key.clone()),
            ("session", self.session.clone()),
        ]);
    }
}
