//! Links as their makers see them: contract 5, and what is around it (keys, users, audit).

mod accounts;
mod articles;
mod batch;
mod codes;
mod create;
mod edit;
mod history;
mod idempotency;
mod lists;
mod qr;
mod roles;
