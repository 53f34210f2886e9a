//! Scripts: atomic on one lane, sent by their hash.

/// A Lua script. Each begins with `#!lua` and is told all its keys.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    /// A script with this text.
    #[must_use]
    pub fn new(text: &'static str) -> Script {
        Script { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// The command for a server that knows the script.
    pub(super) fn by_hash(&self, keys: &[Vec<u8>], args: &[Vec<u8>]) -> redis::Cmd {
        command("EVALSHA", &self.hash, keys, args)
    }

    /// The command for a server that does not: it knows it from then on. (`SCRIPT LOAD` would do the same in one
    /// more step, and in a cluster that step would have to find the right server by itself.)
    pub(super) fn by_text(&self, keys: &[Vec<u8>], args: &[Vec<u8>]) -> redis::Cmd {
        command("EVAL", self.text, keys, args)
    }
}

fn command(name: &str, script: &str, keys: &[Vec<u8>], args: &[Vec<u8>]) -> redis::Cmd {
    let mut cmd = redis::cmd(name);
    cmd.arg(script).arg(keys.len()).arg(keys).arg(args);
    cmd
}
