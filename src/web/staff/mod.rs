//! The pages of staff, below `/-/`.
//!
//! Guarantees that nobody who is not signed in sees one, that every change comes from a page of ours, that all state of
//! a view is in its address, and that each page works without a script: `app.js` only adds. Knows services, not the API.

mod article;
mod charts;
mod desk;
mod digest;
mod failures;
mod format;
mod heat;
mod history;
mod keys;
mod link;
mod links;
mod live;
mod login;
mod looking;
mod marks;
mod me;
mod notes;
mod numbers;
mod question;
mod reports;
mod rows;
mod settings;
mod share;
mod shell;
mod story;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub(super) use self::share::require_visible;
use super::State;

/// The routes of staff's pages.
pub fn routes(state: &State) -> Router<State> {
    Router::new()
        .route("/-/", get(desk::desk).post(desk::make))
        .route("/-/new", get(desk::desk))
        .route("/-/card", get(desk::card))
        .route("/-/code", get(desk::code))
        .route("/-/undo", post(desk::undo))
        .route("/-/links", get(links::list).post(links::change))
        .route("/-/links.csv", get(links::csv))
        .route("/-/links/{code}", get(link::show).post(link::change))
        .route("/-/links/{code}/retire", post(link::retire))
        .route("/-/articles/{id}", get(article::show).post(article::change))
        .route("/-/articles/{id}/notes", post(notes::change))
        .route("/-/reports", get(reports::show))
        .route("/-/reports/csv", get(reports::csv))
        .route("/-/reports/adopt", post(reports::adopt))
        .route("/-/live", get(live::show))
        .route("/-/share", post(share::make))
        .route("/-/shared", get(share::show))
        .route("/-/login", get(login::page).post(login::sign_in))
        .route("/-/link", post(login::by_link))
        .route("/-/logout", post(login::sign_out))
        .route("/-/me", get(me::show))
        .route("/-/me/keys", post(keys::switch))
        .route("/-/keys", get(keys::show))
        .route("/-/me/password", post(me::set_password))
        .route("/-/me/sessions", post(me::end))
        .route("/-/me/digest", post(digest::change))
        .route("/-/digest/confirm", get(digest::to_confirm).post(digest::confirm))
        .route("/-/digest/end", get(digest::to_end).post(digest::end))
        .route("/-/settings", get(settings::first))
        .route("/-/settings/transfer", get(settings::transfer_page).post(settings::transfer::import))
        .route("/-/settings/transfer/links.jsonl", get(settings::transfer::export))
        .route("/-/settings/{tab}", get(settings::show).post(settings::change))
        .route("/-/assets/{file}", get(shell::asset))
        .route(failures::ELSEWHERE, get(failures::nowhere))
        .layer(from_fn_with_state(state.clone(), failures::in_words))
}
