//! What every command works with.

use countersign::Agent;
use tokio::runtime::Builder;

use crate::{
    args::{Command, Global},
    exit::Exit,
    failure::Failure,
    session::{Home, Session},
    terminal::Terminal,
};

/// What every command works with.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) terminal: Terminal,
}

impl Context {
    /// Runs a command on a runtime of its own.
    pub(crate) fn block_on(&mut self, command: Command) -> Result<(), Failure> {
        // Before anything is done that could not be shown.
        if self.terminal.format.is_drawn() && !command.is_drawn() {
            let why = "Only graph tree and graph path can be drawn.";
            let next = "Use -o table, wide, json or jsonl.";
            return Err(Failure::usage("This command has no such output", why, next));
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            let next = "Check the limits on this process, such as its open files.";
            Failure::new(Exit::Unavailable, "Nothing was done", format!("{error}."), next)
        })?;
        runtime.block_on(async {
            match command {
                Command::Join(join) => Box::pin(join.run(self)).await,
                Command::Context(context) => context.run(self),
                Command::Status(status) => Box::pin(status.run(self)).await,
                Command::Doctor(doctor) => Box::pin(doctor.run(self)).await,
                Command::Agent(agent) => Box::pin(agent.run(self)).await,
                Command::Grant(grant) => Box::pin(grant.run(self)).await,
                Command::Negotiate(negotiate) => Box::pin(negotiate.run(self)).await,
                Command::Contract(contract) => Box::pin(contract.run(self)).await,
                Command::Token(token) => Box::pin(token.run(self)).await,
                Command::Can(can) => Box::pin(can.run(self)).await,
                Command::Invoke(invoke) => Box::pin(invoke.run(self)).await,
                Command::Graph(graph) => Box::pin(graph.run(self)).await,
                Command::Explain(explain) => Box::pin(explain.run(self)).await,
                Command::Revoke(revoke) => Box::pin(revoke.run(self)).await,
                Command::Ledger(ledger) => Box::pin(ledger.run(self)).await,
                Command::Verify(verify) => verify.run(self),
                Command::Drain(drain) => drain.run(self).await,
                Command::Completion(completion) => completion.run(self),
                Command::Man(man) => man.run(self),
            }
        })
    }

    /// Where sessions lie.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Home::find(self.global.home.clone())
    }

    /// Does something as the person whose session it is. What the session has learned is kept
    /// whether or not it succeeds.
    pub(crate) async fn as_person<T>(
        &mut self,
        act: impl AsyncFnOnce(&Agent, &mut Terminal) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let file = self.home()?.session(self.global.domain.as_ref())?;
        let session = Session::open(file)?;
        let done = act(session.agent(), &mut self.terminal).await;
        session.settle().await;
        let kept = session.close();
        done.and_then(|done| kept.map(|()| done))
    }
}
