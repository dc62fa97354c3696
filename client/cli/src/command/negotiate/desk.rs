//! Where a negotiation that runs waits for what the person says.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

use crate::{failure::Failure, terminal::Terminal};

/// Puts a question to the person, and takes the answer back.
#[derive(Debug)]
pub(super) struct Desk<Q, A>(mpsc::Sender<(Q, oneshot::Sender<A>)>);

impl<Q, A> Desk<Q, A> {
    /// What the person answers; nothing where the program ends before.
    pub(super) async fn ask(&self, question: Q) -> Option<A> {
        let (answer, answered) = oneshot::channel();
        self.0.send((question, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Runs what negotiates, and lets the person answer its questions meanwhile.
pub(super) async fn attend<Q, A, T, F: Future<Output = Result<T, Failure>>>(
    terminal: &mut Terminal,
    negotiate: impl FnOnce(Desk<Q, A>) -> F,
    mut decide: impl FnMut(&mut Terminal, &Q) -> Result<A, Failure>,
) -> Result<T, Failure> {
    let (sender, mut questions) = mpsc::channel(1);
    let mut negotiating = std::pin::pin!(negotiate(Desk(sender)));
    loop {
        tokio::select! {
            ended = &mut negotiating => return ended,
            Some((question, answer)) = questions.recv() => {
                // Whoever asked may have gone on without the answer.
                let _ = answer.send(decide(terminal, &question)?);
            }
        }
    }
}

/// One of these words, from standard input.
pub(super) fn choose<T: Copy>(
    terminal: &mut Terminal,
    question: &str,
    choices: &[(&str, T)],
) -> Result<T, Failure> {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    loop {
        terminal.say(&format!("{question} [{}]", words.join(", ")));
        let line = terminal.read_line()?;
        let Some(line) = line else {
            let why = "Standard input ended before it was decided.";
            let next = "Say it with --yes, or type one of the words.";
            return Err(Failure::usage("Nothing was decided", why, next));
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == line.trim()) {
            return Ok(*choice);
        }
    }
}
