//! The environments that the tests over the list run over.

use oreal_toy_envs::BuiltIn;

/// Each built-in environment with its default settings, and then with settings at the ends of what is legal.
pub fn environments() -> Vec<BuiltIn> {
    let extremes = [
        "name = 'bandit'\nprobabilities = [1e-300]",
        "name = 'addition'\ndigits = 1",
        "name = 'addition'\ndigits = 3\norder = 'least-significant-first'",
        "name = 'addition'\ndigits = 9",
        "name = 'modular'\nmodulus = 2",
        "name = 'modular'\nmodulus = 11\noperation = 'subtract'",
        "name = 'modular'\nmodulus = 1000000\noperation = 'multiply'",
        "name = 'chain'\nterms = 2\ndigits = 1",
        "name = 'chain'\nterms = 9\ndigits = 2",
        "name = 'countdown'\nnumbers = 2\nlargest = 2",
        "name = 'countdown'\nnumbers = 2\nlargest = 99",
        "name = 'countdown'\nnumbers = 4\nlargest = 99",
    ];
    let extremes =
        extremes.map(|settings| toml::from_str(settings).unwrap_or_else(|error| panic!("{settings}: {error}")));
    BuiltIn::all().into_iter().chain(extremes).collect()
}
