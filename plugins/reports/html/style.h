/* How the page looks. */
#ifndef STYLE_H
#define STYLE_H

/* A style sheet. The page defines the colours that are computed: the variables --heat and --difference, and
 * for property number N a class pN with the variable --color. */
extern const char page_style[];

#endif
