/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ZDD_VERSION_H
#define ZDD_VERSION_H

#define ZDD_VERSION "0.1.0"

#endif
