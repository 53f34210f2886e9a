//! The pages of staff, below `/-/`.
//!
//! Guarantees that nobody who is not signed in sees one, that every change comes from a page of ours, that all state of
//! a view is in its address, and that each page works without a script: `app.js` only adds. Knows services, not the API.

mod article;
mod charts;
mod desk;
mod format;
mod link;
mod links;
mod login;
mod numbers;
mod question;
mod reports;
mod rows;
mod shell;

use axum::Router;
use axum::routing::{get, post};

use super::State;

/// The routes of staff's pages.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/-/", get(desk::desk).post(desk::make))
        .route("/-/new", get(desk::desk))
        .route("/-/card", get(desk::card))
        .route("/-/undo", post(desk::undo))
        .route("/-/links", get(links::list))
        .route("/-/links/{code}", get(link::show).post(link::change))
        .route("/-/links/{code}/retire", post(link::retire))
        .route("/-/articles/{id}", get(article::show))
        .route("/-/reports", get(reports::show))
        .route("/-/login", get(login::page).post(login::sign_in))
        .route("/-/link", post(login::by_link))
        .route("/-/logout", post(login::sign_out))
        .route("/-/assets/{file}", get(shell::asset))
}
