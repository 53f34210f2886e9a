//! `slugline key` and `slugline user`. A running server sees the changes within 1.5 s.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use anyhow::{Context, bail};

use super::{KeyCommand, UserCommand, block_on};
use crate::accounts::AccountService;
use crate::config::Config;
use crate::sessions::SessionService;
use crate::web::session;
use crate::{app, clock};

const WHO: &str = "cli";

/// What these commands work with.
struct Services {
    accounts: Arc<AccountService>,
    sessions: SessionService,
    staff_url: String,
}

impl Services {
    /// A link that signs a user in, once.
    async fn link(&self, name: &str) -> anyhow::Result<String> {
        let (secret, _) = self.sessions.sign_in_link(name, WHO, clock::now()).await?;
        Ok(session::link(&self.staff_url, &secret))
    }
}

async fn with_accounts<T>(
    config: Config,
    work: impl AsyncFnOnce(&Services) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    std::fs::create_dir_all(&config.data.dir)
        .with_context(|| format!("the data folder {} cannot be made", config.data.dir.display()))?;
    let store = app::open_store(&config, clock::now()).await?;
    let done = async {
        let accounts = Arc::new(crate::accounts::of_store(&store).await?);
        let sessions =
            SessionService::new(Arc::clone(&store.tokens), Arc::clone(&accounts), config.auth.clone());
        let staff_url = config.staff_url(config.server.listen, config.server.staff_listen);
        work(&Services { accounts, sessions, staff_url }).await
    };
    let done = done.await;
    store.close().await?;
    done
}

pub(super) fn key(config: Config, command: KeyCommand) -> anyhow::Result<()> {
    block_on(with_accounts(config, async |Services { accounts, .. }| match command {
        KeyCommand::Create { name, role } => {
            let (_, secret) = accounts.create_key(&name, role, None, WHO, clock::now()).await?;
            println!("{secret}");
            Ok(())
        }
        KeyCommand::List => {
            println!("{:<14} {:<8} {:<21} {:<10} NAME", "ID", "ROLE", "MADE", "STATE");
            let now = clock::now();
            for key in accounts.store().keys().await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(_), _) => "revoked",
                    (None, Some(at)) if at <= now => "expired",
                    (None, _) => "valid",
                };
                let made = key.created_at.strftime("%Y-%m-%dT%H:%M:%SZ");
                println!("{:<14} {:<8} {made:<21} {state:<10} {}", key.id, key.role.as_str(), key.name);
            }
            Ok(())
        }
        KeyCommand::Revoke { id } => {
            let key = accounts.revoke_key(&id, WHO, clock::now()).await?;
            println!("ended: {} ({})", key.id, key.name);
            Ok(())
        }
    }))
}

pub(super) fn user(config: Config, command: UserCommand) -> anyhow::Result<()> {
    block_on(with_accounts(config, async |services| match command {
        UserCommand::Add { name, role } => {
            let user = services.accounts.add_user(&name, role, None, WHO, clock::now()).await?;
            println!("added: {} ({}); set a password with: slugline user passwd", user.name, role.as_str());
            println!("or let them sign in, once, within the hour: {}", services.link(&user.name).await?);
            Ok(())
        }
        UserCommand::List => {
            println!("{:<24} {:<8} {:<9} PASSWORD", "NAME", "ROLE", "STATE");
            for user in services.accounts.store().users().await? {
                let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
                let password = if user.password.is_some() { "set" } else { "none" };
                println!("{:<24} {:<8} {state:<9} {password}", user.name, user.role.as_str());
            }
            Ok(())
        }
        UserCommand::Passwd { name } => {
            let password = read_password()?;
            services.accounts.set_password(&name, password, WHO, clock::now()).await?;
            println!("password set: {name}");
            Ok(())
        }
        UserCommand::Link { name } => {
            println!("{}", services.link(&name).await?);
            Ok(())
        }
        UserCommand::Enable { name } => {
            let user = services.accounts.enable_user(&name, WHO, clock::now()).await?;
            println!("enabled: {}", user.name);
            Ok(())
        }
        UserCommand::Disable { name } => {
            let user = services.accounts.disable_user(&name, WHO, clock::now()).await?;
            println!("disabled: {}", user.name);
            Ok(())
        }
    }))
}

fn read_password() -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("no password on stdin")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Once more: ")? != password {
        bail!("the two are not the same");
    }
    Ok(password)
}
