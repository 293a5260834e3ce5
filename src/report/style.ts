/** The look of a report: system fonts, light and dark, narrow screens, paper. */
export const style = `
:root{color-scheme:light dark;--page:#fff;--ink:#1f2733;--quiet:#5b6675;--faint:#e3e7ec;--soft:#f5f7f9;--mark:#0b6bcb;--second:#b4530a;--warn:#8a4b00;--warn-page:#fff6e5}
@media (prefers-color-scheme:dark){:root{--page:#14181d;--ink:#dfe5ec;--quiet:#98a4b3;--faint:#2c343e;--soft:#1b2128;--mark:#5aa9f8;--second:#f0a35e;--warn:#f3c27a;--warn-page:#2b2414}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 1.5rem;letter-spacing:-.01em}
h2{font-size:1.35rem;line-height:1.3;margin:0;letter-spacing:-.005em}
h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
section{margin-top:3rem;padding-top:1.5rem;border-top:1px solid var(--faint);scroll-margin-top:1rem}
.about{margin:.1rem 0 1.25rem;color:var(--quiet);overflow-wrap:anywhere}
a{color:var(--mark)}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--page);padding:.5rem}
nav{max-width:60rem;margin:0 auto;padding:1.25rem 1.25rem 0}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;font-size:.9rem}
nav a{text-decoration:none;overflow-wrap:anywhere}nav a:hover{text-decoration:underline}
nav small{color:var(--quiet)}
@media (min-width:82rem){body{display:grid;grid-template-columns:17rem minmax(0,60rem) 1fr;column-gap:1.5rem}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:2.25rem 0 2rem 1.5rem;margin:0}
nav ol{flex-direction:column;gap:.5rem}nav small{display:block}main{margin:0;width:100%}}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11.5rem,1fr));gap:.75rem;margin:0 0 1.25rem}
dl div{background:var(--soft);border:1px solid var(--faint);border-radius:.5rem;padding:.6rem .8rem;min-width:0}
dt{color:var(--quiet);font-size:.8rem;overflow-wrap:anywhere}dd{margin:0;font-size:1.05rem;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:0 0 1.5rem}
.scroll:focus-visible{outline:2px solid var(--mark);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.4}
table.narrow{width:auto;min-width:18rem}
caption{text-align:left;font-weight:600;padding:0 0 .5rem;font-size:.95rem}
th,td{text-align:left;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--faint);vertical-align:top;max-width:24rem;overflow-wrap:break-word}
td:first-child{min-width:7rem}
.s{white-space:nowrap}
th{color:var(--quiet);font-weight:600;border-bottom-color:var(--quiet);white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bars{color:var(--mark);display:block}
.share{display:inline-block;min-width:4.5rem;background:linear-gradient(90deg,color-mix(in srgb,var(--second) 35%,transparent) var(--part),transparent var(--part));padding:0 .25rem;border-radius:.2rem}
figure{margin:0 0 1.75rem}
figcaption{font-weight:600;font-size:.95rem;margin-bottom:.25rem}
figure div{overflow-x:auto}figure svg{display:block;width:100%;height:auto;min-width:34rem;max-width:47.5rem}
details{font-size:.9rem;margin-top:.25rem}summary{color:var(--quiet);cursor:pointer;width:max-content}
details caption{display:none}
.note{margin:0 0 1rem}.plain{color:var(--quiet)}
.warning{background:var(--warn-page);color:var(--warn);border-radius:.5rem;padding:.6rem .8rem}
footer{margin-top:3rem;color:var(--quiet);font-size:.85rem}
@media print{:root{color-scheme:light;--page:#fff;--ink:#000;--quiet:#444;--faint:#ccc;--soft:#fff;--mark:#0b4f96;--second:#8a4b00;--warn:#000;--warn-page:#fff}
body{display:block;font-size:10.5pt}nav,.skip,details{display:none}figure svg{min-width:0}main{max-width:none;padding:0}section{break-inside:auto}figure,tr,dl div{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}}
`.trim();
