//! The curvature engines under test.

/// Calls `$check(name, engine)` for every engine; a new engine is one line here.
#[macro_export]
macro_rules! for_each_engine {
    ($check:expr) => {{
        $check("nested", inner_outer::Nested);
        $check("central difference", inner_outer::CentralDifference::default());
        $check("forward over reverse", inner_outer::ForwardOverReverse);
    }};
}
