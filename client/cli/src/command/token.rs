//! `countersign token inspect`

use std::path::PathBuf;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use clap::{Args, Subcommand};
use countersign_protocol::{limits::TOKEN_MAX_BYTES, token::UnverifiedToken, trust::KeySet};

use crate::{context::Context, failure::Failure, input::Source, keys, view::TokenView};

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Inspect(Inspect),
}

/// Show what a token allows and to whom, hop by hop, once it has been verified.
///
/// It is verified with the keys in --keys or, without them, with those of your session. A token is no
/// secret: it is of no use without its holder's key.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The token, in bytes or in base64; - is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    token: Source,
    /// The public keys of the token's trust domain.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Show what it claims without verifying anything.
    #[arg(long, conflicts_with = "keys")]
    unverified: bool,
}

impl Token {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let Self::Inspect(inspect) = self;
        inspect.run(context).await
    }
}

impl Inspect {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        // Base64 is a third longer, with room for line breaks.
        let bytes = self.token.read(TOKEN_MAX_BYTES * 3 / 2, &mut context.terminal)?;
        let token = UnverifiedToken::from_bytes(decoded(bytes));
        let view =
            if self.unverified { claimed(&token)? } else { verified(&token, &self.keys(context).await?)? };
        context.terminal.show(&view)
    }

    async fn keys(&self, context: &mut Context) -> Result<KeySet, Failure> {
        match &self.keys {
            Some(path) => keys::read(path, &mut context.terminal),
            None => context.as_person(async |agent, _| Ok(agent.keys().as_ref().clone())).await,
        }
    }
}

fn verified(token: &UnverifiedToken, keys: &KeySet) -> Result<TokenView, Failure> {
    let token = token.verify(keys);
    let token = token.map_err(|refusal| Failure::tampered("The token does not verify", &refusal))?;
    Ok(TokenView::verified(&token))
}

fn claimed(token: &UnverifiedToken) -> Result<TokenView, Failure> {
    let claims = token.peek_unverified();
    let (grant, hops) =
        claims.map_err(|refusal| Failure::tampered("The token was not understood", &refusal))?;
    Ok(TokenView::claimed(&grant, &hops))
}

/// The bytes behind base64 of either alphabet; anything else as it is. A token's first byte is a
/// control character, so its bytes never pass for text.
fn decoded(bytes: Vec<u8>) -> Vec<u8> {
    let text: String = String::from_utf8_lossy(&bytes).split_ascii_whitespace().collect();
    let text = text.trim_end_matches('=');
    let standard = STANDARD.decode(padded(text));
    standard.or_else(|_| URL_SAFE_NO_PAD.decode(text)).unwrap_or(bytes)
}

fn padded(text: &str) -> String {
    let missing = (4 - text.len() % 4) % 4;
    format!("{text}{}", "=".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_in_bytes_or_in_either_base64() {
        // As a container begins: field 1, and a length.
        let token = [&[0x08u8, 0x01, 0x12, 0xff][..], &[0xfb; 61]].concat();
        let wrapped = STANDARD.encode(&token).replace("+/", "+/\r\n") + "\n";
        for text in [wrapped, URL_SAFE_NO_PAD.encode(&token), STANDARD.encode(&token)] {
            assert_eq!(decoded(text.into_bytes()), token);
        }
        assert_eq!(decoded(token.clone()), token);
    }
}
