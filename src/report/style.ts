/** The look of a report: system fonts, light and dark, narrow screens, paper. The hues are Okabe & Ito's, told apart by all eyes. */
export const style = `
:root{color-scheme:light dark;--page:#fff;--ink:#1b2430;--quiet:#596575;--faint:#e4e8ee;--soft:#f6f8fa;--mark:#0072b2;--second:#d55e00;--third:#007a5a;--link:#00619a;--warn:#7a4300;--warn-page:#fff5e0;--good:#00694d;--bad:#b23a00;--shade:#1b243026}
@media (prefers-color-scheme:dark){:root{--page:#12161b;--ink:#e3e8ee;--quiet:#9aa6b5;--faint:#29313b;--soft:#191f26;--mark:#56b4e9;--second:#f39b4a;--third:#3cc49c;--link:#7cc4ef;--warn:#f3c98a;--warn-page:#2b2313;--good:#4fd1ab;--bad:#f6a878;--shade:#000a}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;position:relative}
main{max-width:61rem;margin:0 auto;padding:2.25rem 1.25rem 4rem;min-width:0}
h1{font-size:2.1rem;line-height:1.15;margin:0;letter-spacing:-.02em;overflow-wrap:anywhere}
h2{font-size:1.4rem;line-height:1.3;margin:0;letter-spacing:-.01em}
h3{font-size:1.05rem;margin:2rem 0 .6rem;overflow-wrap:anywhere}
.sub{margin:.4rem 0 0;color:var(--quiet)}
section{margin-top:3.25rem;padding-top:1.75rem;border-top:1px solid var(--faint);scroll-margin-top:.5rem}
header+section{border-top:0;padding-top:0;margin-top:1.75rem}
.about{margin:.1rem 0 0;color:var(--quiet);overflow-wrap:anywhere;font-size:.92rem}
section>h2+:not(.about),section>.about+*{margin-top:1.1rem}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--mark);outline-offset:3px;border-radius:.25rem}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--page);padding:.5rem;z-index:9}
nav{max-width:61rem;margin:0 auto;padding:1.25rem 1.25rem 0;min-width:0}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;font-size:.9rem;line-height:1.35}
nav a{text-decoration:none;overflow-wrap:anywhere;display:inline-block;padding:.15rem 0}nav a:hover{text-decoration:underline}
nav small,nav .again{color:var(--quiet);display:none}
@media (min-width:76rem){body{display:grid;grid-template-columns:16rem minmax(0,61rem) 1fr;column-gap:1.25rem}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:2.5rem 0 2rem 1.75rem;margin:0;width:100%}
nav ol{flex-direction:column;gap:.35rem}nav small{display:block}nav .again{display:list-item}nav .again span{display:none}nav .again{margin-top:-.3rem}main{margin:0;width:100%}}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,16rem),1fr));gap:.9rem;margin:1.25rem 0 1.5rem;padding:0;list-style:none}
.facts li{background:var(--soft);border:1px solid var(--faint);border-radius:.75rem;padding:1rem 1.15rem;min-width:0}
.facts b{display:block;font-size:1.85rem;line-height:1.15;letter-spacing:-.02em;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.facts strong{display:block;font-size:.82rem;font-weight:600;color:var(--quiet);margin-bottom:.35rem}
.facts p{margin:.45rem 0 0;font-size:.92rem;line-height:1.5;overflow-wrap:anywhere}
.facts .good b{color:var(--good)}.facts .bad b{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,9.5rem),1fr));gap:.6rem 1.5rem;margin:0 0 1.5rem}
dl div{border-top:2px solid var(--faint);padding:.45rem 0 0;min-width:0}
dt{color:var(--quiet);font-size:.8rem;overflow-wrap:anywhere}dd{margin:0;font-size:1.08rem;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
dl.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,11.5rem),1fr));gap:0 1.5rem;font-size:.875rem}
dl.small div{display:flex;justify-content:space-between;gap:.75rem;border-top:0;border-bottom:1px solid var(--faint);padding:.3rem 0}dl.small dt{font-size:inherit}dl.small dd{font-size:inherit;font-weight:500;text-align:right}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0 0 .2rem;font-size:.8rem;color:var(--quiet)}.legend span{display:inline-flex;align-items:center;gap:.4rem}
.legend i{display:inline-block;width:1.1rem;height:0;border-top:2.5px solid var(--mark)}.legend .k-ink{border-color:var(--ink)}.legend .k-second{border-color:var(--second)}.legend .k-reference{border-top:1.5px dashed var(--quiet)}.legend .k-band,.legend .k-wide{border:0;height:.7rem;background:var(--mark);opacity:.36}.legend .k-wide{opacity:.2}
.scroll{overflow-x:auto;margin:0 0 1.75rem;background:linear-gradient(90deg,var(--page) 30%,transparent) 0 0/2rem 100% local,linear-gradient(270deg,var(--page) 30%,transparent) 100% 0/2rem 100% local,linear-gradient(90deg,var(--shade),transparent) 0 0/.8rem 100% scroll,linear-gradient(270deg,var(--shade),transparent) 100% 0/.8rem 100% scroll;background-repeat:no-repeat}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.45}
table.narrow{width:auto;min-width:min(100%,18rem)}
caption{text-align:left;font-weight:600;padding:0 0 .4rem;font-size:.95rem}
th,td{text-align:left;padding:.38rem .9rem .38rem 0;border-bottom:1px solid var(--faint);vertical-align:top;max-width:24rem;overflow-wrap:break-word}
tbody tr:hover{background:var(--soft)}
th{color:var(--quiet);font-weight:600;border-bottom-color:var(--quiet);white-space:nowrap}
td:not(.n):not(.s){min-width:9rem}
.s{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bars{color:var(--mark);display:block}
.part{display:block;width:4.5rem;height:.25rem;margin:.2rem 0 0 auto;color:var(--second)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1.5rem 2rem;margin:0 0 1.75rem}
figure{margin:0;min-width:0}
figcaption{font-weight:600;font-size:.95rem;line-height:1.4;margin-bottom:.35rem;overflow-wrap:anywhere}
.chart{position:relative;cursor:crosshair;touch-action:pan-y}
.chart svg{display:block;width:100%;height:auto;pointer-events:none;overflow:hidden}
.chart text{font-family:inherit}
.half svg{max-width:27rem}
.narrow-only{display:none!important}
@media (max-width:40rem){.wide-only{display:none!important}.chart .narrow-only{display:block!important}main{padding-top:1.5rem}h1{font-size:1.7rem}.facts b{font-size:1.6rem}}
.dot{position:absolute;width:11px;height:11px;margin:-5.5px 0 0 -5.5px;border-radius:50%;border:2px solid var(--page);background:var(--second);box-shadow:0 0 0 1.5px var(--second);pointer-events:none}
.tip{position:absolute;z-index:5;background:var(--ink);color:var(--page);font-size:.82rem;line-height:1.4;padding:.4rem .6rem;border-radius:.4rem;max-width:min(20rem,80vw);white-space:pre-line;pointer-events:none;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
[hidden]{display:none!important}
details{font-size:.9rem;margin-top:.35rem}summary{color:var(--quiet);cursor:pointer;width:max-content;font-size:.82rem}
details .scroll{max-height:22rem;overflow:auto;margin:.4rem 0 0}
details caption{position:absolute;left:-99rem}
pre{background:var(--soft);border:1px solid var(--faint);border-radius:.6rem;padding:.85rem 1rem;margin:0 0 1.5rem;overflow-x:auto;font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
pre span{display:block;padding-left:1.5rem;text-indent:-1.5rem}pre b{font-weight:400;display:inline-block;text-indent:0;max-width:100%}
.lead{font-weight:600;font-size:.95rem;margin:0 0 .4rem}
.note{margin:0 0 1rem}.plain{color:var(--quiet)}
.warning{background:var(--warn-page);color:var(--warn);border-radius:.5rem;padding:.6rem .9rem}
footer{margin-top:3.5rem;color:var(--quiet);font-size:.85rem}
@media print{:root{color-scheme:light;--page:#fff;--ink:#000;--quiet:#444;--faint:#ccc;--soft:#fff;--mark:#005b8f;--second:#a84900;--third:#00573f;--link:#000;--warn:#000;--warn-page:#fff;--good:#000;--bad:#000}
@page{margin:16mm 14mm}
body{display:block;font-size:10pt}nav,.skip,details,.tip,.dot{display:none!important}main{max-width:none;padding:0}
section{break-inside:auto;margin-top:1.5rem;padding-top:1rem}figure,tr,dl div,.facts li{break-inside:avoid}h2,h3,figcaption,caption{break-after:avoid}
.scroll{overflow:visible}table{font-size:8pt}th,td{max-width:none;white-space:normal!important;overflow-wrap:anywhere}.figures{grid-template-columns:1fr 1fr}.figures.one{grid-template-columns:1fr}.chart .wide-only{display:block!important}.chart .narrow-only{display:none!important}}
`.trim();
