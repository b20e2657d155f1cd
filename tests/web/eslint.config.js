// Rules for the page's modules and their tests, run from the root of the repository. No file is excepted.
import js from "@eslint/js";
import globals from "globals";
import knownWords from "./known_words.js";

const rules = {
  "max-lines": ["error", { max: 200 }],
  "max-lines-per-function": ["error", { max: 50 }],
  "max-len": ["error", { code: 130 }],
  complexity: ["error", 15],
  "max-depth": ["error", 4],
  eqeqeq: "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-shadow": "error",
  "no-implicit-globals": "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-new-func": "error",
  "no-throw-literal": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-restricted-properties": ["error",
    ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write"]
      .map((property) => ({ property, message: "Build elements with h()." }))],
};

export default [
  js.configs.recommended,
  { ignores: ["tests/web/generated/"] },
  {
    files: ["gan_core/ui/web/**/*.js"],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { playground: { rules: { "known-words": knownWords } } },
    rules: { ...rules, "playground/known-words": "error" },
  },
  {
    files: ["gan_core/ui/web/boot.js"],
    languageOptions: { sourceType: "script" },
  },
  {
    files: ["tests/web/**/*.js"],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.node },
    rules,
  },
];
