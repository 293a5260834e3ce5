import { en, type Messages } from "./en.js";
import { zh } from "./zh.js";

export type { Messages };

/** The catalogues by language, as `--lang` and the HTML have it. */
export const catalogues = { en, zh } satisfies Record<string, Messages>;
export type Language = keyof typeof catalogues;
export const languages = Object.keys(catalogues) as [Language, ...Language[]];
/** As the `lang` attribute has it. */
export const tags: Record<Language, string> = { en: "en", zh: "zh-Hans" };

export type SectionName = keyof Messages["titles"];
