/* How the page looks. */
#ifndef STYLE_H
#define STYLE_H

/* A style sheet. It takes the colours of a heat from the variable --heat, which the page defines. */
extern const char page_style[];

#endif
