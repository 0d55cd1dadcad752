//! Statements, each written once. All of them are listed, so that a test can prepare each on each engine.

/// One SQL text and its name.
#[derive(Debug)]
pub struct Statement {
    /// The noun's file and the constant: `jobs::FIND`.
    pub name: &'static str,
    pub sqlite: &'static str,
    /// The same text; where rows are locked, with ` for no key update` at its end: new rows may refer to them
    /// all the same. SQLite needs none: it has one writer at a time.
    pub postgres: &'static str,
}

impl Statement {
    /// How many arguments it takes: its highest placeholder. SQLite would take a missing one for NULL.
    pub(super) fn arguments(&self) -> usize {
        let after = self.postgres.split('$').skip(1);
        let number = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        after.filter_map(|text| text[..number(text)].parse().ok()).max().unwrap_or_default()
    }
}

/// Declares a noun's statements and lists them in `STATEMENTS`. A statement marked `locking` keeps the
/// rows it reads until the transaction ends.
macro_rules! statements {
    ($noun:literal; $($(#[$doc:meta])* $kind:ident $name:ident = $sql:expr;)*) => {
        $(
            $(#[$doc])*
            static $name: $crate::db::statement::Statement = $crate::db::statement::Statement {
                name: concat!($noun, "::", stringify!($name)),
                sqlite: $sql,
                postgres: $crate::db::statement::text!($kind $sql),
            };
        )*
        /// Every statement of this file.
        pub(in crate::db) static STATEMENTS: &[&$crate::db::statement::Statement] = &[$(&$name),*];
    };
}

macro_rules! text {
    (plain $sql:expr) => {
        $sql
    };
    (locking $sql:expr) => {
        concat!($sql, " for no key update")
    };
}

pub(super) use statements;
pub(super) use text;
