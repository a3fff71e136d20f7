//! Burn's operation traits, one file each; what is more than routing lives in [`rules`](crate::rules).

/// Writes trait methods that only call a function of the same name in `$target`: the inner
/// backend, or a module of rules.
macro_rules! delegate {
    (to $target:ident; $(
        fn $name:ident($($argument:ident: $kind:ty),* $(,)?) -> $output:ty;
    )*) => {
        $(fn $name($($argument: $kind),*) -> $output {
            $target::$name($($argument),*)
        })*
    };
    (to $target:ident, then $wrap:path; $(
        fn $name:ident($($argument:ident: $kind:ty),* $(,)?) -> $output:ty;
    )*) => {
        $(fn $name($($argument: $kind),*) -> $output {
            $wrap($target::$name($($argument),*))
        })*
    };
}

mod activation;
mod bool;
mod float;
mod int;
mod module;
mod quantized;
mod transaction;
