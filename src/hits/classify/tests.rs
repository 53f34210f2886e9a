//! Whole requests against the compiled-in tables, and the fixtures.

use super::*;
