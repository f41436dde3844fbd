/** The one style sheet of the documentation pages. It stands inside each page, so that a page needs no other file. */

export const pageStyle: string = `
:root{color-scheme:light dark;--fg:#1c2128;--dim:#667080;--line:#d8dee6;--bg:#fff;--soft:#f5f7f9;--link:#0a58ca;--get:#1a7f4b;--post:#0a58ca;--put:#9a6700;--delete:#c0392b}
@media(prefers-color-scheme:dark){:root{--fg:#e4e8ee;--dim:#96a1b0;--line:#313a46;--bg:#14181d;--soft:#1c2229;--link:#79b0ff;--get:#4cc38a;--post:#79b0ff;--put:#e0b34c;--delete:#f08576}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .4rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}h3{font-size:.9rem;margin:1rem 0 .3rem}
a{color:var(--link)}code,.method{font:.9em/1.4 ui-monospace,monospace}i{font-style:normal;color:var(--dim)}
.dim{color:var(--dim);font-weight:400}.version{color:var(--dim)}nav a,nav b{margin-right:.35rem}
header{border-bottom:1px solid var(--line);padding-bottom:1rem;margin-bottom:1.2rem}header p{margin:.6rem 0 0}
.badge{font-size:.72rem;font-weight:600;padding:.12rem .5rem;border-radius:1rem;border:1px solid currentColor;vertical-align:middle;color:var(--dim)}
.badge.stable,.badge.latest{color:var(--get)}.badge.deprecated{color:var(--put)}.badge.sunset{color:var(--delete)}.badge.preview{color:var(--post)}
.notice{border-left:3px solid var(--put);background:var(--soft);padding:.6rem .9rem}
table{border-collapse:collapse;width:100%;font-size:.92rem}td,th{text-align:left;padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--dim);font-weight:500}
details.operation{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;background:var(--bg)}
details.operation>div{padding:0 1rem 1rem}summary{cursor:pointer;padding:.6rem .9rem;list-style:none}summary::-webkit-details-marker{display:none}
summary:hover,details[open]>summary{background:var(--soft);border-radius:.5rem}
.method{display:inline-block;min-width:4.6rem;font-weight:700;color:var(--dim)}.get .method{color:var(--get)}.post .method{color:var(--post)}.put .method,.patch .method{color:var(--put)}.delete .method{color:var(--delete)}
.old{text-decoration:line-through}.required{color:var(--delete);font-size:.78rem}
ul.schema{list-style:none;margin:.2rem 0;padding:.1rem 0 .1rem .9rem;border-left:2px solid var(--line)}ul.schema li{padding:.12rem 0}
`
