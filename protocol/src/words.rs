//! Codes and their words, from one list: whoever adds a code cannot leave it out of [`ALL`](crate::Outcome::ALL).

/// Gives an enum of plain variants `ALL` and `as_str`; a variant without a word does not compile.
macro_rules! words {
    ($name:ident: $(#[$doc:meta])* $($variant:ident => $word:literal,)*) => {
        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            $(#[$doc])*
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}
